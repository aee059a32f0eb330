import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compactBytes, compactDuration, count, formatBytes, formatDuration, formatPercent, formatTime } from '../src/render/units.ts';

const KIB = 1024;
const MIB = KIB * KIB;

describe('sizes', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [MIB - 1, '1.0 MiB'],
    [1.5 * MIB, '1.5 MiB'],
    [16 * KIB * KIB * MIB, '16.0 TiB'],
  ])('%d bytes read %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  test('the number before a unit is less than what makes one of the next', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1024, max: 2 ** 50 }), (bytes) => {
        const [, number] = /^(\d+\.\d) (KiB|MiB|GiB|TiB|PiB)$/.exec(formatBytes(bytes)) ?? [];
        expect(Number(number)).toBeGreaterThanOrEqual(1);
        expect(Number(number)).toBeLessThan(1024);
      }),
    );
  });

  test('a field of a line has no blank', () => {
    expect(compactBytes(1.5 * MIB)).toBe('1.5MiB');
    expect(compactDuration(12_345)).toBe('12.3s');
  });
});

describe('durations and times', () => {
  test.each([
    [0, '0 ms'],
    [999, '999 ms'],
    [999.7, '1.0 s'],
    [59_949, '59.9 s'],
    [59_960, '1 min 00 s'],
    [185_000, '3 min 05 s'],
    [7_620_000, '2 h 07 min'],
  ])('%d ms read %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test('times are UTC to the second', () => {
    expect(formatTime('2026-11-22T18:43:34.567Z')).toBe('2026-11-22 18:43:34');
  });
});

test('a percentage is complete only when everything is', () => {
  expect(formatPercent(999, 1000)).toBe('99 %');
  expect(formatPercent(1000, 1000)).toBe('100 %');
  expect(formatPercent(0, 0)).toBe('100 %');
});

test('one thing is singular', () => {
  expect([count(0, 'disk'), count(1, 'disk'), count(2, 'disk')]).toEqual(['0 disks', '1 disk', '2 disks']);
});
