import { createHash } from 'node:crypto';
import { blake3 } from '@napi-rs/blake-hash';
import type { DigestAlgorithm } from './scan-api.ts';

/** What identifies a digest function, as plain data that crosses to the scan workers; the key of a keyed variant belongs here. */
export interface DigestSpec {
  readonly algorithm: DigestAlgorithm;
}

/** One-shot digest of a block: 32 bytes, in memory of its own. */
export type DigestFunction = (data: Uint8Array) => Uint8Array;

export function digestFunction(spec: DigestSpec): DigestFunction {
  switch (spec.algorithm) {
    case 'blake3':
      return blake3;
    case 'sha256':
      return (data) => createHash('sha256').update(data).digest();
  }
}

/** Stands for a block that reads as zeros, whatever its length; no digest function ever returns it (a chance of 2^-256). */
export const ZERO_DIGEST: Uint8Array = new Uint8Array(32);
