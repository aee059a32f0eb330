import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { BaseError, blockGrid, blockRange, isBaseError, isRetryable, redact, retry, Secret, serializeError } from '../src/index.ts';
import { FakeClock } from '../testing/index.ts';

class SampleError extends BaseError<'SAMPLE_BROKEN' | 'SAMPLE_BUSY'> {}

describe('errors', () => {
  it('serialise with code, details, hint and cause, without credentials', () => {
    const error = new SampleError({
      code: 'SAMPLE_BROKEN',
      message: 'read http://user:pass@host/x: gone',
      details: { disk: 1 },
      hint: 'try again',
      cause: new Error('inner http://a:b@h'),
    });
    expect(isBaseError(error)).toBe(true);
    expect(serializeError(error)).toEqual({
      name: 'SampleError',
      code: 'SAMPLE_BROKEN',
      message: 'read http://[redacted]@host/x: gone',
      details: { disk: 1 },
      hint: 'try again',
      retryable: false,
      cause: { name: 'Error', message: 'inner http://[redacted]@h' },
    });
  });

  it('serialise whatever was thrown', () => {
    expect(serializeError(Object.assign(Object.create(null), { a: 1 })).message).toContain('a: 1');
    expect(serializeError(new Error('outer', { cause: Object.create(null) })).cause?.name).toBe('Error');
    expect(serializeError(undefined).message).toBe('undefined');
  });

  it('are retried only when they say so, with doubling delays', async () => {
    const clock = new FakeClock({ auto: true });
    const policy = { attempts: 4, firstDelayMs: 100, maxDelayMs: 250 };
    let calls = 0;
    const failWith = (error: Error) => (): Promise<never> => {
      calls++;
      return Promise.reject(error);
    };
    const busy = new SampleError({ code: 'SAMPLE_BUSY', message: 'busy', retryable: true });
    expect(isRetryable(busy)).toBe(true);
    await expect(retry(failWith(busy), policy, { clock })).rejects.toBe(busy);
    expect(calls).toBe(4);
    expect(clock.monotonicMs()).toBe(100 + 200 + 250);
    calls = 0;
    await expect(retry(failWith(new Error('no')), policy, { clock })).rejects.toThrow('no');
    expect(calls).toBe(1);
  });

  it('spreads the delays over their second half when it is given chance', async () => {
    const busy = new SampleError({ code: 'SAMPLE_BUSY', message: 'busy', retryable: true });
    const policy = { attempts: 3, firstDelayMs: 100, maxDelayMs: 250 };
    for (const [chance, delayMs] of [
      [0, 50 + 100],
      [0.5, 75 + 150],
      [1, 100 + 200],
    ] as const) {
      const clock = new FakeClock({ auto: true });
      await expect(retry(() => Promise.reject(busy), policy, { clock, random: () => chance })).rejects.toBe(busy);
      expect(clock.monotonicMs()).toBe(delayMs);
    }
  });
});

describe('Secret', () => {
  it('never prints itself', () => {
    const secret = new Secret('hunter2');
    expect(`${secret} ${JSON.stringify({ secret })} ${inspect({ secret })}`).not.toContain('hunter2');
    expect(secret.reveal()).toBe('hunter2');
  });
});

describe('redact', () => {
  it.each([
    ['plain text', 'plain text'],
    ['http://h/a@b', 'http://h/a@b'],
    ['a http://u:p@h:1/ b s3://k:s@bucket', 'a http://[redacted]@h:1/ b s3://[redacted]@bucket'],
    ['http://u:p@x@h/', 'http://[redacted]@h/'],
  ])('%s', (text, expected) => expect(redact(text)).toBe(expected));
});

describe('block grid', () => {
  it('has a shorter last block', () => {
    const grid = blockGrid(2.5 * 1024, 1024);
    expect(grid.blockCount).toBe(3);
    expect(blockRange(grid, 2)).toEqual({ offset: 2048, length: 512 });
    expect(() => blockRange(grid, 3)).toThrow(RangeError);
    expect(() => blockGrid(10, 1000)).toThrow(RangeError);
  });
});
