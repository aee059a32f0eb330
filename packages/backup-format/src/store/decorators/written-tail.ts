/** As much as holds the footer of a pack or of an index table, and with it the checksums of the rest. */
const TAIL_BYTES = 4096;

/** The length and the last bytes of what was written. */
export class WrittenTail {
  totalBytes = 0;
  #bytes: Buffer = Buffer.alloc(0);

  /** Copies: the parts are the caller's again. */
  add(parts: readonly Uint8Array[]): void {
    const last: Uint8Array[] = [];
    let wanted = TAIL_BYTES;
    for (const part of parts.toReversed()) {
      this.totalBytes += part.length;
      if (wanted > 0) last.unshift(part.subarray(Math.max(0, part.length - wanted)));
      wanted -= part.length;
    }
    const before = wanted > 0 ? this.#bytes.subarray(Math.max(0, this.#bytes.length - wanted)) : Buffer.alloc(0);
    this.#bytes = Buffer.concat([before, ...last]);
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }
}
