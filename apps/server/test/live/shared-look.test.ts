import { FakeClock } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { SharedLook } from '../../src/live/shared-look.ts';

function look() {
  const clock = new FakeClock();
  const signals: AbortSignal[] = [];
  const ends: ((value: string | Error) => void)[] = [];
  const shared = new SharedLook<string>(clock, 1000, ({ signal }) => {
    signals.push(signal);
    return new Promise((resolve, reject) => ends.push((value) => (typeof value === 'string' ? resolve(value) : reject(value))));
  });
  return { clock, shared, signals, ends };
}

describe('a look that is shared', () => {
  it('is taken once for all who ask, and good for a while', async () => {
    const { clock, shared, signals, ends } = look();
    const asked = [shared.get({}), shared.get({})];
    ends[0]?.('first');
    expect(await Promise.all(asked)).toEqual(['first', 'first']);
    clock.advance(999);
    expect(await shared.get({})).toBe('first');
    clock.advance(1);
    const later = shared.get({});
    ends[1]?.('second');
    expect(await later).toBe('second');
    expect(signals).toHaveLength(2);
  });

  it('goes on for the others when one goes away, and ends with the last', async () => {
    const { shared, signals } = look();
    const [one, two] = [new AbortController(), new AbortController()];
    const asked = [shared.get({ signal: one.signal }), shared.get({ signal: two.signal })];
    one.abort();
    await expect(asked[0]).rejects.toMatchObject({ name: 'AbortError' });
    expect(signals[0]?.aborted).toBe(false);
    two.abort();
    await expect(asked[1]).rejects.toMatchObject({ name: 'AbortError' });
    expect(signals[0]?.aborted).toBe(true);
  });

  it('is good for nothing when it fails', async () => {
    const { shared, ends } = look();
    const asked = shared.get({});
    ends[0]?.(new Error('away'));
    await expect(asked).rejects.toThrow('away');
    const again = shared.get({});
    ends[1]?.('back');
    expect(await again).toBe('back');
  });
});
