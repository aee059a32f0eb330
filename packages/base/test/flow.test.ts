import { describe, expect, it } from 'vitest';
import { forEachConcurrent, Mutex, mapOrdered, Scope, Semaphore } from '../src/index.ts';

describe('mapOrdered', () => {
  it('keeps the order of the source and never exceeds the concurrency', async () => {
    let running = 0;
    let peak = 0;
    const work = async (n: number): Promise<number> => {
      peak = Math.max(peak, ++running);
      for (let i = 0; i < (n * 7) % 5; i++) await Promise.resolve();
      running--;
      return n * 2;
    };
    const out: number[] = [];
    for await (const value of mapOrdered([1, 2, 3, 4, 5, 6, 7], work, { concurrency: 3 })) out.push(value);
    expect(out).toEqual([2, 4, 6, 8, 10, 12, 14]);
    expect(peak).toBeLessThanOrEqual(3);
  });

  it('closes the source and awaits calls under way when one fails', async () => {
    let closed = false;
    let settled = 0;
    async function* source(): AsyncGenerator<number> {
      try {
        for (let i = 0; i < 100; i++) yield i;
      } finally {
        closed = true;
      }
    }
    const run = async (): Promise<void> => {
      for await (const _ of mapOrdered(
        source(),
        async (n) => {
          await Promise.resolve();
          settled++;
          if (n === 2) throw new Error('third');
          return n;
        },
        { concurrency: 4 },
      ))
        void _;
    };
    await expect(run()).rejects.toThrow('third');
    expect(closed).toBe(true);
    expect(settled).toBeLessThan(10);
  });
});

describe('forEachConcurrent', () => {
  it('throws the first failure after the others have ended', async () => {
    let running = 0;
    await expect(
      forEachConcurrent(
        [0, 1, 2],
        async (n) => {
          running++;
          await new Promise(setImmediate);
          running--;
          if (n === 0) throw new Error('zero');
        },
        { concurrency: 3 },
      ),
    ).rejects.toThrow('zero');
    expect(running).toBe(0);
  });
});

describe('Semaphore', () => {
  it('lets waiting takers through in order, and an aborted one gives up its place', async () => {
    const semaphore = new Semaphore(2);
    const first = await semaphore.take(2);
    const order: string[] = [];
    const abort = new AbortController();
    const gaveUp = semaphore.take(2, { signal: abort.signal }).catch(() => order.push('aborted'));
    const second = semaphore.take(1).then((permit) => {
      order.push('second');
      return permit;
    });
    abort.abort();
    await gaveUp;
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    (await second)[Symbol.dispose]();
    (await semaphore.take(2))[Symbol.dispose]();
    expect(order).toEqual(['aborted', 'second']);
  });

  it('lets a request larger than the limit through alone', async () => {
    const permit = await new Semaphore(10).take(1000);
    permit[Symbol.dispose]();
  });
});

describe('Mutex', () => {
  it('runs one at a time and survives a failure', async () => {
    const mutex = new Mutex();
    await expect(mutex.run(async () => Promise.reject(new Error('x')))).rejects.toThrow('x');
    expect(await mutex.run(async () => 1)).toBe(1);
  });
});

describe('Scope', () => {
  it('cleans up in reverse order and reports every failure', async () => {
    const order: number[] = [];
    const scope = new Scope();
    scope.defer(() => void order.push(1));
    scope.defer(() => {
      order.push(2);
      throw new Error('two');
    });
    scope.defer(() => {
      order.push(3);
      throw new Error('three');
    });
    await expect(scope[Symbol.asyncDispose]()).rejects.toBeInstanceOf(AggregateError);
    expect(order).toEqual([3, 2, 1]);
  });

  it('move() hands ownership over', async () => {
    let cleaned = 0;
    let kept: Scope;
    {
      await using scope = new Scope();
      scope.defer(() => void cleaned++);
      kept = scope.move();
    }
    expect(cleaned).toBe(0);
    await kept[Symbol.asyncDispose]();
    expect(cleaned).toBe(1);
  });
});
