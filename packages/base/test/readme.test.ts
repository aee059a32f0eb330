import { expect, it } from 'vitest';
import { mapOrdered, retry, Scope, systemClock } from '../src/index.ts';

it('the example of the README prints what it says', async () => {
  const printed: (number | string)[] = [];
  const policy = { attempts: 3, firstDelayMs: 10, maxDelayMs: 100 };
  {
    await using scope = new Scope();
    scope.defer(() => void printed.push('given back'));
    const load = async (n: number): Promise<number> => retry(async () => n * n, policy, { clock: systemClock });
    for await (const square of mapOrdered([1, 2, 3], load, { concurrency: 2 })) printed.push(square);
  }
  expect(printed).toEqual([1, 4, 9, 'given back']);
});
