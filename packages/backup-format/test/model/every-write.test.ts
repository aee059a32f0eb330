import { describe, expect, it, vi } from 'vitest';
import { playShortRun, SHORT_RUNS } from './short-runs.ts';

vi.mock('@toondepauw/node-zstd', async (original) => (await import('./synchronous-zstd.ts')).synchronousZstd(await original()));

describe('a process that dies at any of its writes leaves a repository that keeps its promises, and the next one can do the same work:', {
  timeout: 180_000,
}, () => {
  for (const [name, run] of SHORT_RUNS) {
    it(name, async () => {
      for (const when of ['before', 'after'] as const) {
        let atWrite = 1;
        while (await playShortRun(run, { atWrite, when })) atWrite += 1;
        expect(atWrite).toBeGreaterThan(run.leastWrites);
        expect(atWrite).toBeLessThan(200);
      }
    });
  }
});
