/** A full part waits here for its turn; S3 asks for at least 5 MiB and takes at most 10 000 parts of an object. */
export const PART_BYTES = 8 * 1024 * 1024;

/** Memory of parts, used again: left to the garbage collector, much of it would wait there. */
export class PartBuffers {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(PART_BYTES);
  }

  /** Only what no request holds any more. */
  giveBack(buffer: Buffer): void {
    this.#free.push(buffer);
  }
}
