/** zstd decides anew every 128 KiB; a sample is taken from each such part. */
const PART_BYTES = 128 * 1024;
const SAMPLE_BYTES = 4096;
/** Shannon entropy in bits a byte. A sample of random bytes lies above 7.9; text, code and databases lie far below. */
const HIGH_ENTROPY = 7.6;
/** A sample must shrink by more than this part of it for the block to be worth compressing. */
const WORTHWHILE = 0.01;

/** Compresses a sample; its result's length is all that matters. */
export type Probe = (sample: Buffer) => { readonly length: number };

/**
 * True for a block that zstd would try hard to compress and then store as it is: encrypted or compressed data, about half of a typical disk. A wrong answer
 * costs space or time, never correctness. Blocks of less than 128 KiB are not judged.
 */
export function seemsIncompressible(block: Uint8Array, probe: Probe): boolean {
  const parts = Math.floor(block.length / PART_BYTES);
  if (parts === 0) return false;
  const sample = Buffer.allocUnsafe(parts * SAMPLE_BYTES);
  for (let part = 0; part < parts; part++) {
    const at = part * PART_BYTES + (PART_BYTES - SAMPLE_BYTES) / 2;
    sample.set(block.subarray(at, at + SAMPLE_BYTES), part * SAMPLE_BYTES);
  }
  // Entropy first: it costs microseconds and lets everything ordinary pass. It does not see repetition; the probe does.
  for (let part = 0; part < parts; part++) {
    if (entropy(sample, part * SAMPLE_BYTES) < HIGH_ENTROPY) return false;
  }
  return probe(sample).length > sample.length * (1 - WORTHWHILE);
}

const counts = new Uint32Array(256);

function entropy(bytes: Buffer, start: number): number {
  counts.fill(0);
  for (let i = start; i < start + SAMPLE_BYTES; i++) {
    const byte = bytes[i] as number;
    counts[byte] = (counts[byte] as number) + 1;
  }
  let bits = 0;
  for (const count of counts) if (count > 0) bits -= (count / SAMPLE_BYTES) * Math.log2(count / SAMPLE_BYTES);
  return bits;
}
