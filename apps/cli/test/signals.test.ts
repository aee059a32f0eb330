import { EventEmitter } from 'node:events';
import { isAbort } from '@onevault/base';
import { expect, test } from 'vitest';
import { cancelOnSignals } from '../src/signals.ts';

function setUp() {
  const source = new EventEmitter();
  const said: string[] = [];
  let left = 0;
  const signals = cancelOnSignals(
    source,
    (text) => said.push(text),
    () => {
      left++;
    },
  );
  return { source, said, left: () => left, signals };
}

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('the first %s aborts with a reason that counts as one, and says what happens', (name) => {
  const { source, said, left, signals } = setUp();
  expect(signals.signal.aborted).toBe(false);
  source.emit(name);
  expect(signals.signal.aborted).toBe(true);
  expect(isAbort(signals.signal.reason)).toBe(true);
  expect(said).toHaveLength(1);
  expect(said[0]).toContain(name);
  expect(left()).toBe(0);
});

test('the second leaves at once, whichever it is', () => {
  const { source, left } = setUp();
  source.emit('SIGINT');
  source.emit('SIGTERM');
  expect(left()).toBe(1);
});

test('before the second leaves it does what was asked for, and no more what was given back', () => {
  const { source, signals } = setUp();
  const done: string[] = [];
  signals.onLeave(() => void done.push('given back'))[Symbol.dispose]();
  using _kept = signals.onLeave(() => void done.push('kept'));
  source.emit('SIGINT');
  expect(done).toEqual([]);
  source.emit('SIGINT');
  expect(done).toEqual(['kept']);
});

test('SIGHUP does something else while a command says so, and stops again when that is given back', () => {
  const { source, said, signals } = setUp();
  let reloads = 0;
  {
    using _held = signals.onHangUp(() => {
      reloads++;
    });
    source.emit('SIGHUP');
    source.emit('SIGHUP');
  }
  expect(reloads).toBe(2);
  expect(said).toEqual([]);
  expect(signals.signal.aborted).toBe(false);
  source.emit('SIGHUP');
  expect(signals.signal.aborted).toBe(true);
});

test('disposing gives the signals back', () => {
  const { source, signals } = setUp();
  signals[Symbol.dispose]();
  expect(source.listenerCount('SIGINT') + source.listenerCount('SIGTERM') + source.listenerCount('SIGHUP')).toBe(0);
  expect(signals.signal.aborted).toBe(false);
});
