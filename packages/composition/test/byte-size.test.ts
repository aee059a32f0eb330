import { expect, test } from 'vitest';
import { parseBytes } from '../src/byte-size.ts';

const KIB = 1024;
const MIB = KIB * KIB;

test.each([
  ['4MiB', 4 * MIB],
  ['64K', 64 * KIB],
  ['64kib', 64 * KIB],
  ['1.5 M', 1.5 * MIB],
  ['512B', 512],
  ['1048576', MIB],
])('%s is understood', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each(['', 'x', '4MB', '-1', '1e6', '4 MiB MiB', '0.3K', '99999P'])('%j is not guessed at', (text) => {
  expect(parseBytes(text)).toBeUndefined();
});
