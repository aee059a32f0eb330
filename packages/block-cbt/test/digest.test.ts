import { inspect } from 'node:util';
import { Secret } from '@onevault/base';
import { describe, expect, it } from 'vitest';
import { digestFunction, ZERO_DIGEST } from '../src/index.ts';

/** From the BLAKE3 test vectors and FIPS 180-4. */
const VECTORS = [
  ['blake3', '', 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
  ['blake3', 'abc', '6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85'],
  ['sha256', '', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['sha256', 'abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
] as const;

/** The key and an input (bytes 0, 1, 2) of the BLAKE3 test vectors; HMAC-SHA-256 of the same as Python computes it. */
const KEY = new Secret(Buffer.from('whats the Elvish word for friend').toString('hex'));
const KEYED_VECTORS = [
  ['blake3', '39e67b76b5a007d4921969779fe666da67b5213b096084ab674742f0d5ec62b9'],
  ['sha256', '80e1997ed178634e9eb0faf7f6dc8aae26163626bf3238761de575621223987a'],
] as const;

describe('digestFunction', () => {
  it.each(VECTORS)('%s of %j', (algorithm, text, expected) => {
    const digest = digestFunction({ algorithm })(Buffer.from(text));
    expect(Buffer.from(digest).toString('hex')).toBe(expected);
  });

  it.each(['blake3', 'sha256'] as const)('%s gives memory of its own, also of shared memory', (algorithm) => {
    const digest = digestFunction({ algorithm });
    const shared = new Uint8Array(new SharedArrayBuffer(5000)).fill(7);
    const first = digest(shared);
    const kept = Buffer.from(first).toString('hex');
    shared.fill(8);
    expect(Buffer.compare(digest(shared), first)).not.toBe(0);
    expect(Buffer.from(first).toString('hex')).toBe(kept);
    expect(kept).toBe(Buffer.from(digest(new Uint8Array(5000).fill(7))).toString('hex'));
  });
});

describe('a keyed digest', () => {
  const input = Uint8Array.of(0, 1, 2);

  it.each(KEYED_VECTORS)('%s is the published one, again and again', (algorithm, expected) => {
    const digest = digestFunction({ algorithm, key: KEY });
    for (const time of [1, 2]) expect([time, Buffer.from(digest(input)).toString('hex')]).toEqual([time, expected]);
  });

  it.each(['blake3', 'sha256'] as const)('%s depends on the key', (algorithm) => {
    const other = digestFunction({ algorithm, key: new Secret('00'.repeat(32)) })(input);
    expect(Buffer.from(other).equals(digestFunction({ algorithm, key: KEY })(input))).toBe(false);
    expect(Buffer.from(other).equals(digestFunction({ algorithm })(input))).toBe(false);
  });

  it('refuses a key of another length, which the library would end the process for', () => {
    expect(() => digestFunction({ algorithm: 'blake3', key: new Secret('00'.repeat(31)) })).toThrow(RangeError);
  });

  it('does not print its key', () => {
    expect(inspect({ algorithm: 'blake3', key: KEY }) + JSON.stringify({ key: KEY })).not.toContain(KEY.reveal().slice(0, 8));
  });
});

it('ZERO_DIGEST is all zeros, of the length of a digest', () => {
  expect(ZERO_DIGEST).toEqual(new Uint8Array(32));
  expect(digestFunction({ algorithm: 'blake3' })(new Uint8Array(1))).toHaveLength(ZERO_DIGEST.byteLength);
});
