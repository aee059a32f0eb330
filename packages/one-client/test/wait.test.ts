import { FakeClock } from '@onevault/base/testing';
import { describe, expect, test } from 'vitest';
import type { Verdict } from '../src/api.ts';
import { OneError, type OneErrorCode } from '../src/errors.ts';
import { waitFor } from '../src/wait.ts';

const passing = (code: OneErrorCode = 'ONE_UNREACHABLE', retryable = true): OneError => new OneError(code, 'gone for a moment', { retryable });

interface Scripted {
  readonly result: Promise<string>;
  readonly readAtMs: readonly number[];
  readonly clock: FakeClock;
}

/** Waits over a script of what each read sees or throws; the last stays. Time moves in steps of 10 ms. */
function scripted(
  script: readonly (string | Error)[],
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal; readonly verdict?: (seen: string) => Verdict; readonly outageMs?: number } = {},
): Scripted {
  const clock = new FakeClock();
  const readAtMs: number[] = [];
  let settled = false;
  const result = waitFor(
    {
      read: async () => {
        const seen = script[Math.min(readAtMs.length, script.length - 1)] ?? '';
        readAtMs.push(clock.monotonicMs());
        if (typeof seen !== 'string') throw seen;
        return seen;
      },
      verdict: options.verdict ?? ((seen) => (seen === 'RUNNING' ? 'done' : 'wait')),
      describe: (seen) => seen,
      object: 'VM 6',
      clock,
      outageMs: options.outageMs ?? 120_000,
    },
    { timeoutMs: options.timeoutMs ?? 60_000, what: 'the snapshot to be taken', ...(options.signal ? { signal: options.signal } : {}) },
  ).finally(() => {
    settled = true;
  });
  result.catch(() => undefined);
  void (async () => {
    while (!settled) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(10);
    }
  })();
  return { result, readAtMs, clock };
}

describe('waitFor', () => {
  test('reads at once, soon again, then once a second', async () => {
    const wait = scripted(['HOTPLUG', 'HOTPLUG', 'HOTPLUG', 'HOTPLUG', 'HOTPLUG', 'RUNNING']);
    expect(await wait.result).toBe('RUNNING');
    const pauses = wait.readAtMs.slice(1).map((at, n) => at - (wait.readAtMs[n] ?? 0));
    expect(pauses).toEqual([250, 500, 1000, 1000, 1000]);
  });

  test('what is already so needs one read', async () => {
    const wait = scripted(['RUNNING']);
    await wait.result;
    expect(wait.readAtMs.length).toBe(1);
  });

  test('says after the deadline what was awaited and what was last seen', async () => {
    const wait = scripted(['HOTPLUG_SAVEAS'], { timeoutMs: 5000 });
    await expect(wait.result).rejects.toMatchObject({
      code: 'ONE_WAIT_TIMEOUT',
      message: 'VM 6: waited 5000 ms for the snapshot to be taken; last seen: HOTPLUG_SAVEAS',
      details: { what: 'the snapshot to be taken', object: 'VM 6', timeoutMs: 5000, lastState: 'HOTPLUG_SAVEAS' },
    });
    expect(wait.clock.monotonicMs()).toBeLessThan(5200);
  });

  test('the deadline also ends a read that never answers', async () => {
    const clock = new FakeClock();
    const result = waitFor(
      { read: () => new Promise<string>(() => undefined), verdict: () => 'wait', describe: String, object: 'VM 6', clock, outageMs: 120_000 },
      { timeoutMs: 5000, what: 'x' },
    );
    const settled = expect(result).rejects.toMatchObject({ code: 'ONE_WAIT_TIMEOUT', details: { lastState: 'never read' } });
    clock.advance(5000);
    await settled;
  });

  test('reads that fail for a passing reason are no verdict', async () => {
    const wait = scripted(['HOTPLUG', passing(), passing('ONE_TIMEOUT', false), passing('ONE_INTERNAL'), 'RUNNING']);
    expect(await wait.result).toBe('RUNNING');
  });

  test('when nothing else came until the deadline the last such failure is the cause', async () => {
    const failure = passing();
    await expect(scripted([failure], { timeoutMs: 3000 }).result).rejects.toMatchObject({ code: 'ONE_WAIT_TIMEOUT', cause: failure });
  });

  test('an oned that stays away for longer than an outage ends it, with its own failure', async () => {
    const failure = passing();
    const wait = scripted(['HOTPLUG', 'HOTPLUG', failure], { outageMs: 3000 });
    await expect(wait.result).rejects.toBe(failure);
    expect(wait.clock.monotonicMs()).toBeLessThan(6000);
  });

  test('failures between answers are not added up', async () => {
    const wait = scripted(['a', passing(), passing(), 'b', passing(), passing(), 'c', 'RUNNING'], { outageMs: 2500 });
    expect(await wait.result).toBe('RUNNING');
  });

  test('a read that fails for good ends it', async () => {
    const failure = new OneError('ONE_NO_EXISTS', 'gone');
    const wait = scripted(['HOTPLUG', failure]);
    await expect(wait.result).rejects.toBe(failure);
  });

  test('what the verdict throws ends it', async () => {
    const failure = new Error('not like this');
    const verdict = (): Verdict => {
      throw failure;
    };
    await expect(scripted(['HOTPLUG'], { verdict }).result).rejects.toBe(failure);
  });

  test('an abort ends it with the reason, untouched', async () => {
    const abort = new AbortController();
    const wait = scripted(['HOTPLUG'], { signal: abort.signal });
    await new Promise((resolve) => setImmediate(resolve));
    abort.abort('enough');
    await expect(wait.result).rejects.toBe('enough');
    await expect(scripted(['RUNNING'], { signal: AbortSignal.abort('before') }).result).rejects.toBe('before');
  });
});
