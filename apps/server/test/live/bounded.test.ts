import { FakeClock } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { Bounded } from '../../src/live/bounded.ts';

const LIMITS = { concurrency: 2, waiting: 1, timeoutMs: 1000 };

function never(): Promise<never> {
  return new Promise(() => undefined);
}

describe('a lane', () => {
  it('lets so many in at once, keeps some waiting and turns the others away', async () => {
    const bounded = new Bounded(new FakeClock(), LIMITS);
    let atWork = 0;
    const ends: (() => void)[] = [];
    const work = (): Promise<void> => {
      atWork += 1;
      return new Promise((resolve) => ends.push(resolve));
    };
    const asked = [1, 2, 3].map(() => bounded.run('main', 'repository main', work, {}));
    await expect(bounded.run('main', 'repository main', work, {})).rejects.toMatchObject({ code: 'SERVER_BUSY', retryable: true });
    await new Promise(setImmediate);
    expect(atWork).toBe(2);
    ends[0]?.();
    await asked[0];
    await new Promise(setImmediate);
    expect(atWork).toBe(3);
    for (const end of ends) end();
    await Promise.all(asked);
  });

  it('that hangs is given up in time, holds its places, and holds up no other', async () => {
    const clock = new FakeClock();
    const bounded = new Bounded(clock, LIMITS);
    const hung = [1, 2, 3].map(() => bounded.run('dead', 'repository dead', never, {}));
    const verdicts = Promise.allSettled(hung);
    await new Promise(setImmediate);
    clock.advance(1000);
    for (const verdict of await verdicts) expect(verdict).toMatchObject({ status: 'rejected', reason: { code: 'SERVER_TIMEOUT' } });
    // What was waiting has gone; the two that hang are still there.
    const again = bounded.run('dead', 'repository dead', never, {});
    again.catch(() => undefined);
    await expect(bounded.run('dead', 'repository dead', never, {})).rejects.toMatchObject({ code: 'SERVER_BUSY' });
    expect(await bounded.run('alive', 'repository alive', async () => 'answer', {})).toBe('answer');
    clock.advance(1000);
  });

  it('is told when who asked has gone, and answers them at once', async () => {
    const bounded = new Bounded(new FakeClock(), LIMITS);
    const gone = new AbortController();
    let heard = false;
    const asked = bounded.run(
      'main',
      'repository main',
      ({ signal }) => {
        signal.addEventListener('abort', () => {
          heard = true;
        });
        return never();
      },
      { signal: gone.signal },
    );
    await new Promise(setImmediate);
    gone.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    expect(heard).toBe(true);
  });

  it('throws what the work throws', async () => {
    const bounded = new Bounded(new FakeClock(), LIMITS);
    await expect(bounded.run('main', 'x', () => Promise.reject(new Error('no')), {})).rejects.toThrow('no');
  });
});
