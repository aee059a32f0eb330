import { RepositoryError } from '../errors.ts';
import type { RandomBytes } from '../format/ids.ts';
import { SEAL_NONCE_BYTES, SEAL_TAG_BYTES, seal, unseal } from './sealing.ts';

/** Seals the payloads of chunks. Bound to the header, which says the digest: a chunk passes for no other one, wherever it is put (I32). */
export interface ChunkCipher {
  /** Parts of the payload to store. Encrypts at once, at about 2 GiB/s; `parts` are not needed afterwards. */
  seal(header: Uint8Array, parts: readonly Uint8Array[]): readonly Uint8Array[];
  /** Throws REPO_CHUNK_CORRUPT. */
  open(header: Uint8Array, payload: Uint8Array): Uint8Array;
}

export function aesChunkCipher(key: Uint8Array, randomBytes: RandomBytes): ChunkCipher {
  return {
    seal: (header, parts) => {
      const { nonce, ciphertext, tag } = seal(key, header, parts, randomBytes);
      return [nonce, ...ciphertext, tag];
    },
    open: (header, payload) => {
      const nonce = payload.subarray(0, SEAL_NONCE_BYTES);
      const ciphertext = payload.subarray(SEAL_NONCE_BYTES, -SEAL_TAG_BYTES);
      const plain = unseal(key, header, { nonce, ciphertext, tag: payload.subarray(-SEAL_TAG_BYTES) });
      if (!plain) throw new RepositoryError({ code: 'REPO_CHUNK_CORRUPT', message: 'a chunk is not what was sealed under its header' });
      return plain;
    },
  };
}
