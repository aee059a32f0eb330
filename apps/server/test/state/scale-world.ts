import { Scope, systemClock } from '@onevault/base';
import { compilePolicy, type Policy, parsePolicy } from '@onevault/policies';
import { sql } from 'kysely';
import { findWebRoot } from '../../src/http/static-files.ts';
import type { Call } from '../../src/ports/call.ts';
import type { InventoryVm } from '../../src/ports/inventory.ts';
import { makeAccessWorld, runRecord, sampleHandlers } from '../../testing/index.ts';
import { openLab } from '../catalog/catalog-lab.ts';
import { inventoryVmOf, openState, type StateUnderTest } from './state-lab.ts';

export const VMS = 5000;
export const POINTS_EACH = 40;

export interface ScaleWorld extends AsyncDisposable {
  readonly state: StateUnderTest;
  readonly vms: readonly InventoryVm[];
  /** Of the embedded database. */
  readonly directory: string;
  /** How long the catalog of all restore points took to open. */
  readonly openedMs: number;
  /** The same handlers behind HTTP with the built pages; who signs in is the administrator of a simulated cloud. */
  serve(): Promise<{ readonly url: string; readonly user: string; readonly password: string }>;
}

export function policyOf(index: number): object {
  return {
    kind: 'backup',
    name: `policy-${index}`,
    repository: 'main',
    timezone: 'Europe/Berlin',
    select: { include: [`label=tier-${index}`, `name=vm-${index}*-special`], exclude: ['name=*-scratch', 'attribute.BACKUP=none'] },
    schedules: [{ at: 'daily 22:30' }],
    rpo: '26h',
    retention: { keepDaily: 7, keepWeekly: 4, keepMonthly: 12 },
  };
}

/** {@link VMS} VMs with {@link POINTS_EACH} restore points each; one in ten was backed up last three days ago, one in a hundred never well. */
export async function openScaleWorld(): Promise<ScaleWorld> {
  await using scope = new Scope();
  const lab = scope.use(await openLab());
  await lab.repository('main');
  const { db } = await lab.openCatalog();
  await sql`
    insert into onevault_catalog.point
    select 'main', '20261127T000000000Z-' || lpad(to_hex(vm * 100 + n), 16, '0'), 'vm-' || vm || '-a', vm, 'vm-' || vm,
      now() - n * interval '1 day' - (case when vm % 10 = 0 then interval '3 days' else interval '1 hour' end), now() - n * interval '1 day',
      case when n % 7 = 0 then 'full' else 'incremental' end, 'crash-consistent', 21474836480, 123456789,
      '[{"key":"disk-0","diskId":0,"target":"vda","sizeBytes":21474836480}]', '[]', '[]', vm % 100 = 0, 'policy-' || vm % 20
    from generate_series(1, ${sql.lit(VMS)}) vm, generate_series(0, ${sql.lit(POINTS_EACH - 1)}) n`.execute(db);
  const now = Date.now();
  const policies = Array.from({ length: 20 }, (_, i) => compilePolicy<Policy>(parsePolicy(policyOf(i)), now));
  const vms = Array.from({ length: VMS }, (_, i) =>
    inventoryVmOf(i + 1, { labels: [`tier-${(i + 1) % 20}`, 'prod'], attributes: { BACKUP: 'gold' }, name: `vm-${i + 1}`, owner: `user-${i % 97}` }),
  );
  const runs = Array.from({ length: 400 }, (_, i) =>
    runRecord({
      id: `run-${i}`,
      vmId: 1 + i * 7,
      state: i < 16 ? 'running' : 'failed',
      ...(i >= 16 && { endedAt: new Date(now), failure: { code: 'JOB_X', message: 'x' } }),
    }),
  );
  const begun = performance.now();
  const state = await openState(lab, { vms, policies, runs, clock: systemClock });
  const openedMs = performance.now() - begun;
  const owned = scope.move();
  return {
    state,
    vms,
    directory: lab.directory,
    openedMs,
    serve: async () => {
      const world = owned.use(await makeAccessWorld());
      const byId = new Map(vms.map((vm) => [vm.facts.id, vm]));
      const objects = { inventory: { vm: (id: number) => byId.get(id) }, catalog: state.catalog, runs: { get: async (id: string) => runRecord({ id }) } };
      const handlers = { ...sampleHandlers(), ...state.handlers, watch: nothingHappens };
      const { url } = await world.serve(objects, handlers, { webRoot: findWebRoot() });
      return { url: url.origin, user: world.sim.user, password: world.sim.password };
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** A stream that stays open. */
async function* nothingHappens({ signal }: Call): AsyncGenerator<never> {
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
