import { silentLogger } from '@onevault/base';
import type { Pruning } from '@onevault/run-queue';
import { expect, it } from 'vitest';
import { forgetOldRuns } from '../../src/runs/forget-old-runs.ts';

it('runs are forgotten after 90 days and their events after 14, every hour, also after an hour in which the database was away', async () => {
  const stop = new AbortController();
  let nowMs = Date.UTC(2026, 10, 28);
  const slept: number[] = [];
  const clock = {
    now: () => new Date(nowMs),
    monotonicMs: () => nowMs,
    async sleep(ms: number) {
      slept.push(ms);
      nowMs += ms;
      if (slept.length === 3) stop.abort();
    },
  };
  const asked: Pruning[] = [];
  const runs = {
    async prune(pruning: Pruning) {
      asked.push(pruning);
      if (asked.length === 1) throw new Error('the database is away');
      return { runs: 0, events: 0 };
    },
  };
  await forgetOldRuns(runs, { clock, logger: silentLogger }, stop.signal);
  expect(slept).toEqual([3_600_000, 3_600_000, 3_600_000]);
  expect(asked).toHaveLength(3);
  expect(asked[0]).toEqual({ endedBefore: new Date(Date.UTC(2026, 7, 30)), eventsBefore: new Date(Date.UTC(2026, 10, 14)) });
});
