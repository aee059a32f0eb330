import { createCipheriv, createHash } from 'node:crypto';

/** An endless deterministic stream of incompressible bytes: AES-256-CTR under a key made from `seed`. */
export function keystream(seed) {
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16));
  return { bytes: (length) => cipher.update(Buffer.alloc(length)) };
}

/** Numbers from a keystream, for what the streams of bytes are used for. */
export function randomNumbers(seed) {
  const stream = keystream(seed);
  return {
    /** An integer in 0 .. limit - 1; the bias of a 48-bit draw does not matter here. */
    below: (limit) => stream.bytes(6).readUIntBE(0, 6) % limit,
    /** Between low and high, all magnitudes equally likely: the usual shape of file sizes. */
    logUniform: (low, high) => Math.round(low * (high / low) ** (stream.bytes(4).readUInt32BE(0) / 0xffffffff)),
  };
}
