import { createHash, createHmac } from 'node:crypto';
import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash';
import type { DigestAlgorithm, DigestSpec } from './scan-api.ts';

/** A digest spec as it crosses to the scan workers, where a Secret cannot go. Never to be logged. */
export interface RevealedDigest {
  readonly algorithm: DigestAlgorithm;
  readonly keyHex?: string;
}

/** One-shot digest of a block: 32 bytes, in memory of its own. */
export type DigestFunction = (data: Uint8Array) => Uint8Array;

/** Throws RangeError for a key that is not 32 bytes. */
export function digestFunction(spec: DigestSpec): DigestFunction {
  return revealedDigestFunction(revealDigest(spec));
}

export function revealDigest(digest: DigestAlgorithm | DigestSpec): RevealedDigest {
  if (typeof digest === 'string') return { algorithm: digest };
  return digest.key ? { algorithm: digest.algorithm, keyHex: digest.key.reveal() } : { algorithm: digest.algorithm };
}

export function revealedDigestFunction({ algorithm, keyHex }: RevealedDigest): DigestFunction {
  const key = keyHex === undefined ? undefined : parseKey(keyHex);
  switch (algorithm) {
    case 'blake3':
      return key ? keyedBlake3(key) : blake3;
    case 'sha256':
      return key ? (data) => createHmac('sha256', key).update(data).digest() : (data) => createHash('sha256').update(data).digest();
  }
}

/** One hasher, begun anew for every block: a call is synchronous, so nothing comes between. */
function keyedBlake3(key: Buffer): DigestFunction {
  const hasher = Blake3Hasher.newKeyed(key);
  return (data) => {
    hasher.reset();
    return hasher.update(data).digestBuffer();
  };
}

/** The library aborts the process for a key of another length. */
function parseKey(hex: string): Buffer {
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new RangeError('the key of a digest is not 64 hex characters');
  return Buffer.from(hex, 'hex');
}

/** Stands for a block that reads as zeros, whatever its length; no digest function ever returns it (a chance of 2^-256). */
export const ZERO_DIGEST: Uint8Array = new Uint8Array(32);
