import { OPERATIONS } from '@onevault/api';
import { type Clock, systemClock } from '@onevault/base';
import type { BackupPolicy, CompiledPolicy, Policy } from '@onevault/policies';
import { vmFacts } from '@onevault/policies/testing';
import type { RunRecord } from '@onevault/run-queue';
import type { DatabaseCatalog } from '../../src/catalog/database-catalog.ts';
import type { Call, HandlerTable } from '../../src/ports/call.ts';
import type { InventoryVm } from '../../src/ports/inventory.ts';
import type { SettingsStore } from '../../src/ports/settings-store.ts';
import { ProtectionBoard } from '../../src/protection/protection-board.ts';
import { stateHandlers } from '../../src/state/state-handlers.ts';
import type { CatalogLab } from '../catalog/catalog-lab.ts';

const NOBODY = { use: false, manage: false, admin: false };

export interface StateUnderTest {
  readonly catalog: DatabaseCatalog;
  readonly board: ProtectionBoard;
  readonly handlers: HandlerTable;
  /** What the handler answers, in JSON, checked against the operation's schema. */
  ask(id: string, call: Call): Promise<unknown>;
}

export function inventoryVmOf(id: number, overrides: Parameters<typeof vmFacts>[0] = {}): InventoryVm {
  const owned = { uid: 0, gid: 0, permissions: { owner: NOBODY, group: NOBODY, other: NOBODY }, lock: undefined };
  return { facts: vmFacts({ id, name: `vm-${id}`, ...overrides }), owned, clusterId: 0, hostId: 0, datastoreIds: [], diskCount: 1, exists: true };
}

export interface StateWish {
  readonly vmIds?: readonly number[];
  readonly vms?: readonly InventoryVm[];
  readonly policies: readonly CompiledPolicy<Policy>[];
  readonly runs?: readonly RunRecord[];
  readonly clock?: Clock;
}

/** The handlers over a catalog in a lab, and VMs made by hand. */
export async function openState(lab: CatalogLab, wish: StateWish): Promise<StateUnderTest> {
  const { policies, runs = [], clock = systemClock } = wish;
  const vms = [...(wish.vms ?? (wish.vmIds ?? []).map((id) => inventoryVmOf(id)))];
  const byId = new Map(vms.map((vm) => [vm.facts.id, vm]));
  const settings = {
    current: () => ({
      ...lab.settings.current(),
      policies,
      backupPolicies: policies.filter((one): one is CompiledPolicy<BackupPolicy> => one.policy.kind === 'backup'),
    }),
  } as unknown as SettingsStore;
  const current = settings.current();
  Object.assign(settings, { current: () => ({ ...current, repositories: lab.settings.current().repositories }) });
  const catalog = await lab.openCatalog();
  const inventory = {
    vms: () => vms,
    vm: (id: number) => byId.get(id),
    refreshedAt: clock.now(),
    seenAt: clock.now(),
    problem: undefined,
    refresh: async () => undefined,
    hasNewProxy: async () => false,
  };
  const board = new ProtectionBoard({ inventory, catalog, settings, clock });
  catalog.onChange((ids) => board.forget(ids));
  const handlers = stateHandlers({
    settings,
    inventory,
    catalog,
    board,
    runs: { list: async ({ state, limit }) => runs.filter((run) => run.state === state).slice(0, limit) },
    queue: async () => ({ queued: 3, running: 0, waitingSince: undefined }),
    details: { vmDetail: async () => ({ disks: [], verdict: 'ok', reasons: [] }) },
    orphans: () => 2,
    madeAnew: () => undefined,
    openPlace: async () => {
      throw new Error('not here');
    },
    checkPlace: async () => {
      throw new Error('not here');
    },
    clock,
  });
  return {
    catalog,
    board,
    handlers,
    ask: async (id, call) => {
      const answer: unknown = JSON.parse(JSON.stringify(await handlers[id]?.(call as never)));
      const operation = OPERATIONS.find((one) => one.id === id);
      if (operation !== undefined && 'body' in operation.answer) operation.answer.body.parse(answer);
      return answer;
    },
  };
}
