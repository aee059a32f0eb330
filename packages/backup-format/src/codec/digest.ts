import { createHash } from 'node:crypto';
import { blake3 } from '@napi-rs/blake-hash';
import type { DigestAlgorithm } from '../repository-api.ts';

/** The repository's digest of plain bytes: 32 bytes. */
export type DigestFunction = (bytes: Uint8Array) => Uint8Array;

export function digestFunction(algorithm: DigestAlgorithm): DigestFunction {
  switch (algorithm) {
    case 'blake3':
      return blake3;
    case 'sha256':
      return (bytes) => createHash('sha256').update(bytes).digest();
  }
}
