import { createHash, createHmac } from 'node:crypto';
import { Blake3Hasher, blake3 } from '@napi-rs/blake-hash';
import { fromHex } from '../format/bytes.ts';
import type { DigestSpec } from '../repository-api.ts';

/** The repository's digest of plain bytes: 32 bytes. */
export type DigestFunction = (bytes: Uint8Array) => Uint8Array;

const KEY_HEX = /^[0-9a-f]{64}$/;

/** With a key: keyed BLAKE3 or HMAC-SHA-256. Throws RangeError for a key that is not 32 bytes. */
export function digestFunction({ algorithm, key }: DigestSpec): DigestFunction {
  // Checked here, because the library aborts the process for a key of another length.
  if (key && !KEY_HEX.test(key.reveal())) throw new RangeError('the key of a digest is not 64 hex characters');
  switch (algorithm) {
    case 'blake3':
      return key ? keyedBlake3(fromHex(key.reveal())) : blake3;
    case 'sha256':
      return key ? hmacSha256(fromHex(key.reveal())) : (bytes) => createHash('sha256').update(bytes).digest();
  }
}

/** One hasher, begun anew every time: a call is synchronous, so nothing comes between. */
function keyedBlake3(key: Buffer): DigestFunction {
  const hasher = Blake3Hasher.newKeyed(key);
  return (bytes) => {
    hasher.reset();
    return hasher.update(bytes).digestBuffer();
  };
}

function hmacSha256(key: Buffer): DigestFunction {
  return (bytes) => createHmac('sha256', key).update(bytes).digest();
}
