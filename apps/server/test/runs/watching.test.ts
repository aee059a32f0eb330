import type { StreamEvent } from '@onevault/api';
import { expect, it } from 'vitest';
import { runHandlers } from '../../src/runs/run-handlers.ts';
import { callOf, SOMEBODY } from '../../testing/call-of.ts';
import { serverSettings } from '../../testing/fleet.ts';

/** Two runs, of the VMs 1 and 2, which tell in turn; VM 1 belongs to `owner.of`. */
function watched() {
  const owner = { of: 'bob' };
  const asked: string[] = [];
  const event = (n: number): StreamEvent => ({ id: `${n}`, time: '2026-11-28T10:00:00.000Z', runId: `run-${1 + (n % 2)}`, type: 'tick', data: { n } });
  async function* events(runId?: string): AsyncGenerator<StreamEvent> {
    for (let n = 1; n <= 8; n++) {
      if (n === 5) owner.of = 'eve';
      if (runId === undefined || event(n).runId === runId) yield event(n);
    }
  }
  const runs = {
    get: async (id: string) => {
      asked.push(id);
      return { id, vmId: Number(id.at(-1)), request: {} };
    },
    watch: (id: string) => events(id),
    watchAll: () => events(),
  };
  const inventory = { vms: () => [], vm: (id: number) => ({ facts: { id, owner: id === 1 ? owner.of : 'nobody' }, owned: {} }) };
  const points = { onChange: () => ({ [Symbol.dispose]: () => undefined }) };
  const { watch, watchRun } = runHandlers({ runs, inventory, points, settings: { current: () => serverSettings() }, keys: {} } as never);
  const caller = (user: string) => ({
    ...SOMEBODY,
    user,
    role: 'operator',
    mayUse: (vm: { readonly facts: { readonly owner: string } }) => vm.facts.owner === user,
  });
  const told = async (stream: AsyncIterable<StreamEvent>): Promise<unknown[]> => {
    const all: unknown[] = [];
    for await (const { data } of stream) all.push(data['n']);
    return all;
  };
  return {
    asked,
    all: (user: string) => told(watch(callOf({ caller: caller(user) as never }) as never)),
    one: (user: string) => told(watchRun(callOf({ params: { runId: 'run-1' }, caller: caller(user) as never }) as never)),
  };
}

it('an open stream of a run ends, and one of all runs says no more of it, when its VM is given to somebody else', async () => {
  expect(await watched().one('bob')).toEqual([2, 4]);
  await expect(watched().one('eve')).rejects.toMatchObject({ code: 'SERVER_NOT_FOUND' });
  expect(await watched().all('bob')).toEqual([2, 4]);
  expect(await watched().all('eve')).toEqual([6, 8]);
});
