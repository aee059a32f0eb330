import { describe, expect, it } from 'vitest';
import { ReadStreams } from '../../src/exports/read-streams.ts';

/** What is read ahead when blocks are asked for in this order. */
function ahead(maxWindow: number, blocks: readonly number[]): (readonly [number, number] | undefined)[] {
  const streams = new ReadStreams(maxWindow);
  return blocks.map((block) => {
    const run = streams.touch(block);
    return run && ([run.from, run.to] as const);
  });
}

describe('reading ahead', () => {
  it('begins with the second block in sequence, and grows to the window', () => {
    const runs = ahead(8, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]).filter((run) => run !== undefined);
    expect(runs[0]).toEqual([2, 4]);
    for (const [n, [from]] of runs.entries()) expect(from).toBe(runs[n - 1]?.[1] ?? 2); // without gaps, nothing twice
    expect(Math.max(...runs.map(([from, to]) => to - from))).toBeLessThanOrEqual(8);
  });

  it('never begins for who reads anywhere', () => {
    expect(ahead(8, [50, 3, 77, 20, 9, 60]).every((run) => run === undefined)).toBe(true);
  });

  it('does not mind a block that is asked for several times, in pieces', () => {
    expect(ahead(8, [5, 5, 5, 6, 6])).toEqual([undefined, undefined, undefined, [7, 9], undefined]);
  });

  it('tells several readers apart', () => {
    expect(ahead(8, [0, 1000, 1, 1001])).toEqual([undefined, undefined, [2, 4], [1002, 1004]]);
  });
});
