import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { nextChange } from '../../src/protection/next-change.ts';

function source() {
  const listeners = new Set<() => void>();
  return {
    listeners,
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}

it('waits for the next change of any, and leaves nobody listening, however often it is asked', async () => {
  const [vms, policies] = [source(), source()];
  const { signal } = new AbortController();
  for (let times = 0; times < 20; times++) {
    const changed = nextChange([vms, policies], { signal });
    for (const listener of [...(times % 2 === 0 ? vms : policies).listeners]) listener();
    await changed;
  }
  expect([vms.listeners.size, policies.listeners.size, getEventListeners(signal, 'abort').length]).toEqual([0, 0, 0]);
});

it('ends with the signal, also with one that is aborted already', async () => {
  const over = new AbortController();
  const changed = nextChange([source()], { signal: over.signal });
  over.abort();
  await changed;
  await nextChange([source()], { signal: over.signal });
  expect(getEventListeners(over.signal, 'abort')).toEqual([]);
});
