import { FakeClock } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { SharedResource } from '../../src/live/shared-resource.ts';

function resource(open: (key: string) => Promise<string> = async (key) => key) {
  const clock = new FakeClock();
  const log: string[] = [];
  const shared = new SharedResource<string>({
    clock,
    idleMs: 1000,
    open: async (key) => {
      log.push(`open ${key}`);
      return open(key);
    },
    close: async (value) => void log.push(`close ${value}`),
  });
  const settle = (): Promise<void> => new Promise(setImmediate);
  return { clock, log, shared, settle };
}

describe('what is shared', () => {
  it('is opened once for all who use it, and closed some time after the last of them', async () => {
    const { clock, log, shared, settle } = resource();
    const [one, two] = await Promise.all([shared.use('a', {}), shared.use('a', {})]);
    await one[Symbol.asyncDispose]();
    clock.advance(5000);
    await settle();
    expect(log).toEqual(['open a']);
    await two[Symbol.asyncDispose]();
    clock.advance(999);
    await settle();
    await (await shared.use('a', {}))[Symbol.asyncDispose]();
    clock.advance(999);
    await settle();
    expect(log).toEqual(['open a']);
    clock.advance(1);
    await settle();
    expect(log).toEqual(['open a', 'close a']);
  });

  it('is not given to anybody else once it is broken, and closed when its users have gone', async () => {
    const { log, shared } = resource();
    const first = await shared.use('a', {});
    first.broken();
    const second = await shared.use('a', {});
    await first[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
    expect(log).toEqual(['open a', 'open a', 'close a']);
    await second[Symbol.asyncDispose]();
    expect(shared.size).toBe(1);
  });

  it('is opened anew after it failed to open', async () => {
    let fails = true;
    const { shared } = resource(async (key) => {
      if (fails) throw new Error('away');
      return key;
    });
    await expect(shared.use('a', {})).rejects.toThrow('away');
    fails = false;
    expect((await shared.use('a', {})).value).toBe('a');
  });

  it('does not make anybody wait who has gone', async () => {
    const { shared } = resource(() => new Promise(() => undefined));
    const gone = new AbortController();
    const asked = shared.use('a', { signal: gone.signal });
    gone.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('makes room by closing the one that nobody has used for longest', async () => {
    const { log, shared } = resource();
    const held = await shared.use('held', {});
    for (const key of ['b', 'c']) await (await shared.use(key, {}))[Symbol.asyncDispose]();
    await (await shared.use('b', {}))[Symbol.asyncDispose]();
    expect(await shared.closeIdle()).toBe(true);
    expect(log.at(-1)).toBe('close c');
    expect(await shared.closeIdle()).toBe(true);
    expect(await shared.closeIdle()).toBe(false);
    await held[Symbol.asyncDispose]();
    await shared[Symbol.asyncDispose]();
    expect(log.filter((line) => line.startsWith('close')).sort()).toEqual(['close b', 'close c', 'close held']);
  });
});
