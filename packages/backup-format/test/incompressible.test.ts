import { randomBytes } from 'node:crypto';
import { Encoder } from '@toondepauw/node-zstd';
import { describe, expect, it } from 'vitest';
import { ChunkCodecs, type EncodedChunk } from '../src/codec/chunk-codec.ts';
import { seemsIncompressible } from '../src/codec/incompressible.ts';
import { plainProtection } from '../src/crypto/protection.ts';

const KIB = 1024;
const encoder = new Encoder(1);
const judge = (block: Buffer): boolean => seemsIncompressible(block, (sample) => encoder.encodeSync(sample));
const text = (length: number): Buffer => Buffer.alloc(length, 'Everything not saved will be lost. ');

describe('a block that seems incompressible', () => {
  it('is random from end to end', () => {
    expect(judge(randomBytes(1024 * KIB))).toBe(true);
    expect(judge(randomBytes(256 * KIB))).toBe(true);
  });

  it('is not text, zeros, or random with text in a single part of 128 KiB', () => {
    expect(judge(text(1024 * KIB))).toBe(false);
    expect(judge(Buffer.alloc(1024 * KIB))).toBe(false);
    for (let part = 0; part < 8; part++) {
      const block = randomBytes(1024 * KIB);
      text(128 * KIB).copy(block, part * 128 * KIB);
      expect(judge(block), `text in part ${part}`).toBe(false);
    }
  });

  it('is not a random page again and again: entropy does not see that, the probe does', () => {
    const page = randomBytes(4 * KIB);
    expect(judge(Buffer.concat(Array.from({ length: 256 }, () => page)))).toBe(false);
  });

  it('is not judged when it is small', () => {
    expect(judge(randomBytes(64 * KIB))).toBe(false);
  });

  it('is stored raw, others as zstd, and both come back', async () => {
    const codecs = new ChunkCodecs({ compression: { codec: 'zstd', level: 3 } }, plainProtection('sha256'));
    const encode = (plain: Uint8Array): Promise<EncodedChunk> => codecs.encode(plain, { type: 'data', digest: codecs.digest(plain) });
    expect((await encode(randomBytes(1024 * KIB))).codec).toBe('raw');
    expect((await encode(randomBytes(64 * KIB))).codec).toBe('raw');
    expect((await encode(text(1024 * KIB))).codec).toBe('zstd');
  });
});
