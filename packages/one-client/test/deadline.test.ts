import { getEventListeners } from 'node:events';
import { FakeClock } from '@onevault/base/testing';
import { expect, test } from 'vitest';
import { withDeadline } from '../src/deadline.ts';

const late = new Error('late');
const never = (): Promise<never> => new Promise(() => undefined);
const expired = (): Error => late;

test('work that is done in time gives its result and leaves no listener', async () => {
  const abort = new AbortController();
  const clock = new FakeClock();
  expect(await withDeadline({ ms: 100, clock, expired }, abort, async () => 'done')).toBe('done');
  expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  clock.advance(1000); // a deadline left behind would now be an unhandled rejection
});

test('the deadline ends work, also work that ignores its signal, and tells it', async () => {
  const clock = new FakeClock();
  let told: unknown;
  const result = withDeadline({ ms: 100, clock, expired }, {}, (signal) => {
    signal.addEventListener('abort', () => {
      told = signal.reason;
    });
    return never();
  });
  const settled = expect(result).rejects.toBe(late);
  clock.advance(99);
  expect(told).toBeUndefined();
  clock.advance(1);
  await settled;
  expect(told).toBe(late);
});

test('an abort wins over a deadline that has not come', async () => {
  const abort = new AbortController();
  const settled = expect(withDeadline({ ms: 100, clock: new FakeClock(), expired }, abort, never)).rejects.toBe('enough');
  abort.abort('enough');
  await settled;
});
