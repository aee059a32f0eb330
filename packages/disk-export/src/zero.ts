const ZEROS = new Uint8Array(2 ** 20);

/** Whether all bytes are zero: one memcmp for each MiB, which ends at the first difference. */
export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const end = Math.min(bytes.length, at + ZEROS.length);
    if (Buffer.compare(bytes.subarray(at, end), ZEROS.subarray(0, end - at)) !== 0) return false;
  }
  return true;
}

/** `length` zero bytes in pieces of at most 1 MiB, all of them the same memory. */
export function* zeroPieces(length: number): Generator<Uint8Array, void> {
  for (let left = length; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
}
