import { expect, test } from 'vitest';
import { parseFraction, parseSize } from '../options.mjs';
import { BARS } from '../report/bars.mjs';
import { median, medianRatio } from '../report/statistics.mjs';
import { judge, printTable } from '../report/table.mjs';

const FACTS = { sizeBytes: 2 ** 33, rounds: 3, cpus: '2 x CPU', memoryBytes: 2 ** 34, node: '20.0.0', kernel: '6.1' };

function printed(rows) {
  let text = '';
  printTable(rows.map(judge), FACTS, { write: (part) => (text += part) });
  return text;
}

test.each([
  ['8GiB', 2 ** 33],
  ['256MiB', 2 ** 28],
  ['16TiB', 2 ** 44],
  ['1.5KiB', 1536],
  ['512', 512],
])('%s is %d bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes));

test.each(['8GB', '', 'GiB', '-1GiB', '8 gib'])('"%s" is not a size', (text) => expect(() => parseSize(text)).toThrow());

test('a part can be a percentage or a fraction', () => {
  expect(parseFraction('2%')).toBe(0.02);
  expect(parseFraction('0.001')).toBe(0.001);
  expect(() => parseFraction('some')).toThrow();
});

test('the median of an even number of values lies between the middle two', () => {
  expect(median([4, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test('ratios are taken within each round, so that a slow minute does not count against one side', () => {
  expect(medianRatio([10, 100, 10], [5, 50, 5])).toBe(2);
});

test('faster than the peer is a ratio above one', () => {
  const { ratio, verdict } = judge({ measure: 'full backup', kind: 'seconds', peer: 'restic', ours: [10], theirs: [31] });
  expect(ratio).toBeCloseTo(3.1);
  expect(verdict).toBe('met');
});

test.each([
  ['full backup', 'restic', [10], [27], 'floor met'],
  ['full backup', 'restic', [10], [24], 'MISSED'],
  ['repository, full', 'restic', [103], [100], 'floor met'],
  ['repository, full', 'restic', [106], [100], 'MISSED'],
  ['scan, O_DIRECT', 'dd', [100], [95], 'met'],
  ['scan, O_DIRECT', 'dd', [100], [94], 'MISSED'],
])('%s against %s: %j beside %j is %s', (measure, peer, ours, theirs, verdict) => {
  expect(judge({ measure, kind: 'seconds', peer, ours, theirs }).verdict).toBe(verdict);
});

test.each([
  ['memory', 'full backup: peak memory', 350 * 2 ** 20, 'met'],
  ['memory', 'full backup: peak memory', 351 * 2 ** 20, 'MISSED'],
  ['milliseconds', 'incremental: loop delay p99', 50.1, 'MISSED'],
  ['GiB/s', 'scan, page cache', 2.7, 'floor met'],
])('a %s bar without a peer holds our own figure: %s', (kind, measure, value, verdict) => {
  expect(judge({ measure, kind, ours: [value] }).verdict).toBe(verdict);
});

test('a peer that is absent is said to be, and its bar is not called met', () => {
  const row = { measure: 'full backup', kind: 'seconds', peer: 'borg', ours: [10], theirs: [], absent: 'borg is not installed' };
  expect(judge(row).verdict).toBe('not measured');
  expect(printed([row])).toContain('borg is not installed');
});

test('the table says when the bars are meant for another size', () => {
  let text = '';
  printTable([], { ...FACTS, sizeBytes: 2 ** 28 }, { write: (part) => (text += part) });
  expect(text).toContain('The bars are meant for 8 GiB');
  expect(printed([])).not.toContain('The bars are meant for 8 GiB');
});

test('no floor lies above its goal', () => {
  for (const { atLeast, floor, goal } of BARS) expect(atLeast ? floor <= goal : floor >= goal).toBe(true);
});
