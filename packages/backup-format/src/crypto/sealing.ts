import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import type { RandomBytes } from '../format/ids.ts';

/** 12 bytes choose the key, 12 are the nonce under it. */
export const SEAL_NONCE_BYTES = 24;
export const SEAL_TAG_BYTES = 16;
const HALF = 12;
/** Encrypted piece by piece: large buffers come from the system page by page, small ones from the heap, which is twice as fast. */
const SLICE_BYTES = 128 * 1024;

/**
 * AES-256-GCM with 192 random bits of nonce (docs/format.md section 17.3): the first half derives the key of this one message from `key`, the second is its
 * nonce. No two of 2^64 messages meet with a chance above 2^-65, and no writer keeps a counter that a crash, a cloned machine or a second writer could repeat.
 */
export interface Sealed {
  readonly nonce: Uint8Array;
  readonly ciphertext: readonly Uint8Array[];
  readonly tag: Uint8Array;
}

export function seal(key: Uint8Array, aad: Uint8Array, plain: readonly Uint8Array[], randomBytes: RandomBytes): Sealed {
  const nonce = randomBytes(SEAL_NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', messageKey(key, nonce), nonce.subarray(HALF, SEAL_NONCE_BYTES));
  cipher.setAAD(aad);
  const ciphertext: Uint8Array[] = [];
  for (const part of plain) {
    for (let at = 0; at < part.length; at += SLICE_BYTES) ciphertext.push(cipher.update(part.subarray(at, at + SLICE_BYTES)));
  }
  cipher.final();
  return { nonce, ciphertext, tag: cipher.getAuthTag() };
}

/** The plain bytes, or undefined when key, nonce, tag, `aad` or a single bit of the ciphertext is another. */
export function unseal(
  key: Uint8Array,
  aad: Uint8Array,
  sealed: { readonly nonce: Uint8Array; readonly ciphertext: Uint8Array; readonly tag: Uint8Array },
): Buffer | undefined {
  const { nonce, ciphertext, tag } = sealed;
  if (nonce.length !== SEAL_NONCE_BYTES || tag.length !== SEAL_TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', messageKey(key, nonce), nonce.subarray(HALF), { authTagLength: SEAL_TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(tag);
  const plain = decipher.update(ciphertext);
  try {
    decipher.final();
  } catch {
    return undefined; // all that it can mean
  }
  return plain;
}

function messageKey(key: Uint8Array, nonce: Uint8Array): Buffer {
  return createHmac('sha256', key).update(nonce.subarray(0, HALF)).digest();
}
