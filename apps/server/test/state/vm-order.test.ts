import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Call } from '../../src/ports/call.ts';
import type { InventoryVm } from '../../src/ports/inventory.ts';
import type { StateDeps } from '../../src/state/state-deps.ts';
import { vmHandlers } from '../../src/state/vm-handlers.ts';
import { callOf } from '../../testing/index.ts';
import { inventoryVmOf } from './state-lab.ts';

interface VmPage {
  readonly items: readonly { readonly id: number; readonly name: string }[];
  readonly next?: string;
}

/** The list of VMs over these alone: nothing of them is protected. */
function listOf(vms: readonly InventoryVm[]): (call: Call) => Promise<VmPage> {
  const deps = {
    inventory: { vms: () => vms },
    board: { of: () => ({ state: 'unprotected', policies: [], reason: 'no-policy' }) },
    catalog: { ofVm: () => ({ count: 0, newest: undefined }) },
    runs: { list: async () => [] },
  } as unknown as StateDeps;
  return vmHandlers(deps)['listVms'] as (call: Call) => Promise<VmPage>;
}

async function pagesOf(names: readonly string[], limit: number): Promise<VmPage['items']> {
  const list = listOf(names.map((name, at) => inventoryVmOf(at + 1, { name })));
  const all: VmPage['items'][number][] = [];
  let cursor: string | undefined;
  do {
    const page = await list(callOf({ query: { sort: 'name', limit, ...(cursor !== undefined && { cursor }) } }));
    all.push(...page.items);
    cursor = page.next;
  } while (cursor !== undefined);
  return all;
}

it('names are sorted as a person sorts them: numbers by their size, whatever the case', async () => {
  const names = ['vm-10', 'VM-2', 'vm-1', 'app2', 'App10', 'änne', 'anton', 'vm-2b', 'vm-002', 'zoe'];
  expect((await pagesOf(names, 500)).map(({ name }) => name)).toEqual(['änne', 'anton', 'app2', 'App10', 'vm-1', 'VM-2', 'vm-002', 'vm-2b', 'vm-10', 'zoe']);
});

it('pages of any size have each VM once and in the order of the whole, also of names that count as the same', async () => {
  const name = fc.oneof(fc.string({ unit: 'binary', maxLength: 6 }), fc.constantFrom('a', 'A', 'ä', 'vm-1', 'vm-01', 'VM-1', 'vm-10', '', '٣', '3', '１'));
  await fc.assert(
    fc.asyncProperty(fc.array(name, { maxLength: 12 }), fc.integer({ min: 1, max: 5 }), async (names, limit) => {
      const whole = await pagesOf(names, 500);
      expect(whole).toHaveLength(names.length);
      expect(await pagesOf(names, limit)).toEqual(whole);
    }),
    { numRuns: 60 },
  );
});
