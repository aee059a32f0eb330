import { DIGEST_BYTES } from '@onevault/base';

/** The same memory with the accessors of Buffer; copies nothing. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function toHex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('hex');
}

export function fromHex(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}

export const ZERO_DIGEST = Buffer.alloc(DIGEST_BYTES);
export const ZERO_HEX = ZERO_DIGEST.toString('hex');

/** True when every byte is zero: reserved fields, zero digests, empty pages. */
export function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** A digest as the key of a map: one byte a character, half the memory of hex. */
export function digestKey(digest: Uint8Array): string {
  return asBuffer(digest).toString('latin1', 0, DIGEST_BYTES);
}
