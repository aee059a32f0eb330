import { access } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SimState } from '../src/index.ts';
import { startTestSimulator, type TestSimulator } from '../testing/index.ts';

/** Whatever is called in whatever order, with drivers failing now and then: nothing ends stuck, miscounted or without its file. */
type Step = {
  readonly vm: number;
  readonly disk: number;
  readonly image: number;
  readonly snapshot: number;
  readonly wait: boolean;
  readonly kind: (typeof KINDS)[number];
};

const KINDS = [
  'disksnapshotcreate',
  'disksnapshotdelete',
  'disksnapshotrevert',
  'disksaveas',
  'attach',
  'detach',
  'suspend',
  'poweroff',
  'resume',
  'stop',
  'undeploy',
  'terminate-hard',
  'migrate',
  'retry',
  'monitored',
  'image-delete',
  'image-force-delete',
  'image-allocate',
  'image-persistent',
  'image-clone',
  'instantiate',
  'guest-write',
  'fail-next',
] as const;

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...KINDS),
  vm: fc.nat(2),
  disk: fc.nat(4),
  image: fc.nat(7),
  snapshot: fc.integer({ min: -1, max: 3 }),
  wait: fc.boolean(),
});

const local = { sizeMiB: 1, datastore: 110, format: 'qcow2' } as const;

test('random sequences of calls never leave an impossible state', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      await using one = await startTestSimulator();
      const { control } = one.sim;
      await control.createVm({ name: 'a', disks: [{ sizeMiB: 1 }, { sizeMiB: 1, persistent: true }] });
      await control.createVm({ name: 'b', disks: [local, { ...local, persistent: true }], volatileMiB: [1] });
      for (const [at, one_] of steps.entries()) {
        await take(one, one_, at);
        if (one_.wait) await control.idle();
      }
      await control.idle();
      expect(await control.unexpectedErrors()).toEqual([]);
      await expectPossible(await control.state());
    }),
    { numRuns: 12 },
  );
});

async function take({ sim, call }: TestSimulator, { kind, vm, disk, image, snapshot }: Step, at: number): Promise<void> {
  switch (kind) {
    case 'disksnapshotcreate':
      return void (await call('one.vm.disksnapshotcreate', vm, disk, `s${at}`));
    case 'disksnapshotdelete':
    case 'disksnapshotrevert':
      return void (await call(`one.vm.${kind}`, vm, disk, snapshot));
    case 'disksaveas':
      return void (await call('one.vm.disksaveas', vm, disk, `saved${at}`, '', snapshot));
    case 'attach':
      return void (await call('one.vm.attach', vm, `DISK=[IMAGE_ID="${image}",SERIAL="s${at}",READONLY="${at % 2 ? 'YES' : 'NO'}"]`));
    case 'detach':
      return void (await call('one.vm.detach', vm, disk));
    case 'image-delete':
    case 'image-force-delete':
      return void (await call('one.image.delete', image, kind === 'image-force-delete'));
    case 'image-allocate':
      return void (await call('one.image.allocate', `NAME="i${at}"\nSIZE="1"`, 100, false));
    case 'image-persistent':
      return void (await call('one.image.persistent', image, at % 2 === 0));
    case 'image-clone':
      return void (await call('one.image.clone', image, `c${at}`, -1));
    case 'instantiate':
      return void (await call('one.template.instantiate', vm, `n${at}`, false, '', false));
    case 'guest-write':
      return void (await sim.control.writeRandom(vm, disk, { seed: at, count: 4, blockBytes: 4096 }).catch(() => undefined));
    case 'migrate':
      return void (await call('one.vm.migrate', vm, disk % 3, at % 2 === 0, false, -1, 0));
    case 'retry':
      return void (await call('one.vm.recover', vm, 2));
    case 'monitored':
      return void (await sim.control.monitored(vm, (['UNKNOWN', 'RUNNING', 'POWEROFF', 'SUSPENDED'] as const)[at % 4] ?? 'RUNNING').catch(() => undefined));
    case 'fail-next': {
      const operation = FAILING[at % FAILING.length] ?? 'attach';
      // A detachment that fails when all is done leaves a disk without its file, and no call puts that right.
      const phase = operation === 'detach' ? 'half' : (PHASES[disk % PHASES.length] ?? 'before');
      return void (await sim.control.inject({ fault: 'driver', operation, phase }));
    }
    default:
      return void (await call('one.vm.action', kind, vm));
  }
}

const FAILING = ['attach', 'detach', 'saveas', 'snapshot-create', 'snapshot-delete', 'deploy', 'image-create', 'action'] as const;
const PHASES = ['before', 'half', 'after'] as const;

const STABLE_VM = new Set([
  'PENDING',
  'HOLD',
  'RUNNING',
  'STOPPED',
  'SUSPENDED',
  'DONE',
  'POWEROFF',
  'UNDEPLOYED',
  'PROLOG_FAILURE',
  'BOOT_FAILURE',
  'PROLOG_RESUME_FAILURE',
  'BOOT_STOPPED_FAILURE',
  'PROLOG_UNDEPLOY_FAILURE',
  'BOOT_UNDEPLOY_FAILURE',
  'PROLOG_MIGRATE_FAILURE',
  'BOOT_MIGRATE_FAILURE',
  'PROLOG_MIGRATE_POWEROFF_FAILURE',
  'PROLOG_MIGRATE_SUSPEND_FAILURE',
  'EPILOG_FAILURE',
  'EPILOG_STOP_FAILURE',
  'EPILOG_UNDEPLOY_FAILURE',
  'UNKNOWN',
  'CLONING_FAILURE',
]);
const FILES_EXPECTED = new Set(['RUNNING', 'STOPPED', 'SUSPENDED', 'POWEROFF', 'UNDEPLOYED']);

async function expectPossible(state: SimState): Promise<void> {
  expect(state.operations).toEqual([]);
  for (const vm of state.vms) await expectPossibleVm(vm);
  for (const image of state.images) await expectPossibleImage(state, image);
}

async function expectPossibleVm(vm: SimState['vms'][number]): Promise<void> {
  expect(STABLE_VM, `VM ${vm.id}`).toContain(vm.stateText);
  if (vm.stateText !== 'DONE') expect(new Set(vm.disks.map((disk) => disk.target)).size).toBe(vm.disks.length);
  for (const disk of vm.disks) if (FILES_EXPECTED.has(vm.stateText)) await access(disk.path);
  for (const diskId of new Set(vm.snapshots.map((snapshot) => snapshot.diskId))) expectChain(vm.snapshots.filter((snapshot) => snapshot.diskId === diskId));
}

async function expectPossibleImage(state: SimState, image: SimState['images'][number]): Promise<void> {
  const users = state.vms.filter((vm) => vm.stateText !== 'DONE' && vm.disks.some((disk) => disk.imageId === image.id)).map((vm) => vm.id);
  expect([...image.vmIds].sort(), `users of image ${image.id}`).toEqual(users.sort());
  expect(['READY', 'USED', 'ERROR'], `image ${image.id}`).toContain(image.stateText);
  if (image.stateText === 'USED') expect(users.length).toBeGreaterThan(0);
  if (image.stateText === 'READY') expect(users).toEqual([]);
  if (image.stateText !== 'ERROR') await access(image.path);
}

/** qcow2: every parent exists or is -1, at most one snapshot is ACTIVE. */
function expectChain(chain: SimState['vms'][number]['snapshots']): void {
  const ids = new Set(chain.map((snapshot) => snapshot.id));
  for (const snapshot of chain) if (snapshot.parent !== -1) expect(ids).toContain(snapshot.parent);
  expect(chain.filter((snapshot) => snapshot.active).length).toBeLessThanOrEqual(1);
}
