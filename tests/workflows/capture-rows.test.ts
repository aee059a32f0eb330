import { errorCode, isBaseError } from '@onevault/base';
import { type VmAction, vmId } from '@onevault/one-client';
import { backupVm, type CaptureChoice, type CaptureMethod, type ReasonCode, type RestingState } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failureOf } from '../support/aftermath.ts';
import { makeWorld, type World } from '../support/world.ts';

/** Image datastores of a fresh simulator, by driver. */
const DATASTORE = {
  qcow2: 100,
  shared: 102,
  ceph: 104,
  fs_lvm: 106,
  ssh: 108,
  local: 110,
  fs_lvm_ssh: 112,
  thin: 114,
  lvm: 116,
  dev: 118,
  iscsi: 120,
} as const;
const SYSTEM_SSH = 109;

/** One way that a disk can be captured, or not: written down by hand, as docs/opennebula.md has it, and carried out. */
interface Row {
  readonly on: keyof typeof DATASTORE;
  readonly format?: 'raw' | 'qcow2';
  readonly persistent?: boolean;
  readonly onSsh?: boolean;
  readonly agent?: boolean;
  readonly native?: boolean;
  /** How many snapshots somebody took of each disk before. */
  readonly snapshots?: number;
  readonly state?: RestingState;
  readonly capture?: CaptureChoice;
  readonly allowLongFreeze?: boolean;
  readonly gives: CaptureMethod | 'refused';
  readonly code: ReasonCode;
  readonly stays?: boolean;
  readonly since?: string;
}

const OFF: readonly RestingState[] = ['POWEROFF', 'SUSPENDED', 'STOPPED', 'UNDEPLOYED'];
const atRest = (row: Pick<Row, 'on' | 'format' | 'persistent' | 'since'>, states = OFF): Row[] =>
  states.map((state) => ({ ...row, state, gives: 'offline', code: 'CAPTURE_OFFLINE' }));

const ROWS: readonly Row[] = [
  { on: 'qcow2', gives: 'snapshot', code: 'CAPTURE_SNAPSHOT_CLEAN' },
  { on: 'qcow2', persistent: true, gives: 'live-copy', code: 'SNAPSHOT_STAYS' },
  { on: 'qcow2', persistent: true, snapshots: 1, gives: 'snapshot', code: 'CAPTURE_SNAPSHOT_CLEAN' },
  { on: 'qcow2', snapshots: 2, gives: 'snapshot', code: 'CAPTURE_SNAPSHOT_CLEAN' },
  { on: 'qcow2', persistent: true, capture: 'snapshot', gives: 'snapshot', code: 'SNAPSHOT_STAYS', stays: true },
  { on: 'qcow2', capture: 'live-copy', gives: 'live-copy', code: 'CAPTURE_DEMANDED' },
  { on: 'qcow2', native: true, gives: 'live-copy', code: 'SNAPSHOT_REFUSED_BY_NATIVE_INCREMENTAL' },
  { on: 'qcow2', native: true, capture: 'snapshot', gives: 'refused', code: 'SNAPSHOT_REFUSED_BY_NATIVE_INCREMENTAL' },
  { on: 'qcow2', capture: 'offline', gives: 'refused', code: 'REFUSE_VM_RUNS' },
  { on: 'qcow2', onSsh: true, gives: 'live-copy', code: 'SNAPSHOT_NOT_MEASURED' },
  ...atRest({ on: 'qcow2' }),
  ...atRest({ on: 'qcow2', persistent: true }),
  { on: 'shared', format: 'qcow2', gives: 'snapshot', code: 'CAPTURE_SNAPSHOT_CLEAN' },
  { on: 'shared', format: 'raw', gives: 'live-copy', code: 'SNAPSHOT_PAUSES_GUEST' },
  { on: 'shared', format: 'raw', persistent: true, gives: 'live-copy', code: 'SNAPSHOT_PAUSES_GUEST' },
  { on: 'shared', format: 'raw', capture: 'snapshot', gives: 'refused', code: 'REFUSE_LONG_FREEZE' },
  { on: 'shared', format: 'raw', capture: 'snapshot', allowLongFreeze: true, gives: 'snapshot', code: 'SNAPSHOT_PAUSES_GUEST' },
  ...atRest({ on: 'shared', format: 'raw' }),
  { on: 'local', format: 'qcow2', gives: 'live-copy', code: 'SNAPSHOT_STAYS', since: '7.0.2' },
  { on: 'local', format: 'qcow2', persistent: true, gives: 'live-copy', code: 'SNAPSHOT_STAYS', since: '7.0.2' },
  { on: 'local', format: 'qcow2', capture: 'snapshot', gives: 'snapshot', code: 'SNAPSHOT_STAYS', stays: true, since: '7.0.2' },
  { on: 'local', format: 'qcow2', snapshots: 1, gives: 'live-copy', code: 'SNAPSHOT_UNREADABLE', since: '7.0.2' },
  { on: 'local', format: 'qcow2', snapshots: 1, capture: 'snapshot', gives: 'refused', code: 'SNAPSHOT_UNREADABLE', since: '7.0.2' },
  { on: 'local', format: 'raw', gives: 'live-copy', code: 'SNAPSHOT_COPIES_TWICE', since: '7.0.2' },
  ...atRest({ on: 'local', format: 'qcow2', since: '7.0.2' }),
  ...atRest({ on: 'local', format: 'raw', persistent: true, since: '7.0.2' }),
  { on: 'ssh', format: 'qcow2', gives: 'live-copy', code: 'SNAPSHOT_COPIES_TWICE' },
  { on: 'ssh', format: 'raw', persistent: true, gives: 'live-copy', code: 'SNAPSHOT_COPIES_TWICE' },
  { on: 'ssh', format: 'qcow2', persistent: true, capture: 'snapshot', gives: 'snapshot', code: 'SNAPSHOT_COPIES_TWICE' },
  ...atRest({ on: 'ssh', format: 'qcow2' }),
  { on: 'ceph', gives: 'snapshot', code: 'CAPTURE_SNAPSHOT_CLEAN' },
  { on: 'ceph', persistent: true, agent: true, gives: 'snapshot', code: 'CAPTURE_SNAPSHOT_CLEAN' },
  { on: 'ceph', snapshots: 1, gives: 'snapshot', code: 'CAPTURE_SNAPSHOT_CLEAN' },
  { on: 'ceph', capture: 'live-copy', gives: 'refused', code: 'LIVE_COPY_TORN' },
  { on: 'ceph', native: true, gives: 'refused', code: 'SNAPSHOT_REFUSED_BY_NATIVE_INCREMENTAL' },
  { on: 'ceph', onSsh: true, gives: 'refused', code: 'REFUSE_LONG_FREEZE' },
  { on: 'ceph', onSsh: true, allowLongFreeze: true, gives: 'live-copy', code: 'LIVE_COPY_PAUSES_GUEST' },
  { on: 'ceph', onSsh: true, state: 'POWEROFF', gives: 'offline', code: 'CAPTURE_OFFLINE' },
  { on: 'ceph', onSsh: true, state: 'SUSPENDED', gives: 'offline', code: 'GUEST_MEMORY_ELSEWHERE' },
  { on: 'ceph', onSsh: true, state: 'UNDEPLOYED', gives: 'refused', code: 'REFUSE_DRIVER_STATE' },
  { on: 'ceph', onSsh: true, state: 'STOPPED', gives: 'refused', code: 'REFUSE_DRIVER_STATE' },
  ...atRest({ on: 'ceph' }),
  { on: 'fs_lvm', gives: 'refused', code: 'LIVE_COPY_TORN' },
  { on: 'fs_lvm', capture: 'snapshot', gives: 'refused', code: 'SNAPSHOT_NOT_SUPPORTED' },
  ...atRest({ on: 'fs_lvm' }),
  { on: 'fs_lvm_ssh', agent: true, gives: 'refused', code: 'SNAPSHOT_NOT_SUPPORTED' },
  ...atRest({ on: 'fs_lvm_ssh', persistent: true }),
  { on: 'thin', agent: true, gives: 'snapshot', code: 'CAPTURE_SNAPSHOT_CLEAN', since: '7.0.2' },
  { on: 'thin', agent: true, persistent: true, gives: 'snapshot', code: 'CAPTURE_SNAPSHOT_CLEAN', since: '7.0.2' },
  { on: 'thin', gives: 'refused', code: 'SNAPSHOT_NEEDS_GUEST_AGENT', since: '7.0.2' },
  ...atRest({ on: 'thin', since: '7.0.2' }),
  { on: 'lvm', gives: 'snapshot', code: 'CAPTURE_SNAPSHOT_CLEAN', since: '7.4.0' },
  { on: 'lvm', persistent: true, gives: 'snapshot', code: 'CAPTURE_SNAPSHOT_CLEAN', since: '7.4.0' },
  { on: 'lvm', capture: 'live-copy', gives: 'live-copy', code: 'CAPTURE_DEMANDED', since: '7.4.0' },
  { on: 'lvm', native: true, gives: 'live-copy', code: 'SNAPSHOT_REFUSED_BY_NATIVE_INCREMENTAL', since: '7.4.0' },
  ...atRest({ on: 'lvm', since: '7.4.0' }),
  { on: 'dev', persistent: true, gives: 'refused', code: 'REFUSE_DRIVER_NO_EXPORT' },
  { on: 'dev', persistent: true, state: 'POWEROFF', gives: 'refused', code: 'REFUSE_DRIVER_NO_EXPORT' },
  { on: 'iscsi', persistent: true, gives: 'refused', code: 'REFUSE_DRIVER_NO_EXPORT' },
];

/** All rows on the newest version; on the others those that the version could decide, and all when time does not matter. */
const VERSIONS = ['6.10.5', '7.0.2', '7.4.0'] as const;
const rowsOf = (version: string): readonly Row[] => {
  const there = ROWS.filter((row) => row.since === undefined || row.since <= version);
  if (version === VERSIONS.at(-1) || process.env['ONEVAULT_LONG'] === '1') return there;
  return there.filter((row) => row.state === undefined && row.capture === undefined);
};

const GETS_THERE: Readonly<Partial<Record<RestingState, VmAction>>> = {
  POWEROFF: 'poweroff-hard',
  SUSPENDED: 'suspend',
  STOPPED: 'stop',
  UNDEPLOYED: 'undeploy',
};

function titleOf(row: Row): string {
  const disk = [
    row.format,
    row.persistent && 'persistent',
    row.snapshots && `${row.snapshots} snapshots`,
    row.onSsh && 'on system ssh',
    row.agent && 'agent',
    row.native && 'native',
  ];
  const demand = [row.capture && `--capture ${row.capture}`, row.allowLongFreeze && '--allow-long-freeze'];
  return [row.on, ...disk, row.state ?? 'RUNNING', ...demand, '->', row.gives, row.stays && 'and stays'].filter(Boolean).join(' ');
}

describe.each(VERSIONS)('OpenNebula %s: every row of the capture table, carried out', (version) => {
  let world: World;
  beforeAll(async () => {
    world = await makeWorld({ version, disks: [{ sizeMiB: 1 }], volatileMiB: [] });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it.each(rowsOf(version).map((row) => [titleOf(row), row] as const))('%s', async (title, row) => {
    const vm = await vmOf(world, title, row);
    const before = await stateOf(world, vm);
    const left = await world.leftovers();
    const request = world.backupRequest({ vmId: vm, capture: row.capture ?? 'auto', allowLongFreeze: row.allowLongFreeze === true });

    if (row.gives === 'refused') {
      const error = await failureOf(backupVm(world.deps(), request));
      expect(errorCode(error), String(error)).toBe('JOB_PLAN_REFUSED');
      expect(isBaseError(error) && error.details['reasons']).toContain(row.code);
    } else {
      const bytes = await Promise.all(before.disks.map((disk) => world.diskBytes(vm, disk)));
      const report = await backupVm(world.deps(), request);
      expect(report.disks.map((disk) => disk.method)).toEqual(before.disks.map(() => row.gives));
      expect(report.disks[0]?.reasons.map((reason) => reason.code)).toContain(row.code);
      expect(report.residue.length > 0, report.residue.join()).toBe(row.stays === true);
      for (const [at, disk] of before.disks.entries())
        expect((await storedBytes(world, report.pointId, disk)).equals(bytes[at] ?? Buffer.alloc(0)), `disk ${disk}`).toBe(true);
    }
    const after = await stateOf(world, vm);
    if (row.stays === true) expect(after.snapshots.length).toBe(before.snapshots.length + before.disks.length);
    else expect(after).toEqual(before);
    if (row.stays !== true) expect(await world.leftovers()).toEqual(left);
    expect(await harm(world, vm, row)).toEqual([]);
    await world.cloud.vmAction(vm, 'terminate-hard');
    await world.sim.control.idle();
  });
});

async function vmOf(world: World, name: string, row: Row): Promise<ReturnType<typeof vmId>> {
  const disk = { datastore: DATASTORE[row.on], persistent: row.persistent === true, ...(row.format && { format: row.format }) };
  const created = await world.sim.control.createVm({
    name: name.replace(/[^\w. -]/g, ''),
    disks: [
      { sizeMiB: 2, ...disk },
      { sizeMiB: 1, ...disk },
    ],
    guestAgent: row.agent === true ? 'works' : 'none',
    ...(row.onSsh === true && { systemDatastore: SYSTEM_SSH }),
  });
  const id = vmId(created.vmId);
  for (const disk of [0, 1]) await world.sim.control.writeRandom(id, disk, { seed: id * 2 + disk, count: 12, blockBytes: 4096 });
  for (let n = 0; n < (row.snapshots ?? 0); n++)
    for (const disk of [0, 1]) {
      await world.must('one.vm.disksnapshotcreate', id, disk, `somebody-${n}`);
      await world.sim.control.idle();
    }
  if (row.native === true) await world.must('one.vm.updateconf', id, 'BACKUP_CONFIG=[MODE="INCREMENT"]', 1);
  const action = row.state && GETS_THERE[row.state];
  if (action !== undefined) await world.cloud.vmAction(id, action);
  await world.sim.control.idle();
  return id;
}

/** What a backup must leave as it found it. */
async function stateOf(
  world: World,
  id: ReturnType<typeof vmId>,
): Promise<{ readonly state: string; readonly disks: readonly number[]; readonly snapshots: readonly string[] }> {
  const vm = await world.cloud.vm(id);
  return {
    state: `${vm.state}/${vm.lcmState}`,
    disks: vm.disks.map((disk) => disk.diskId),
    snapshots: vm.snapshots.flatMap((tree) =>
      tree.snapshots.map((snapshot) => `${tree.diskId}/${snapshot.id} ${snapshot.name}${snapshot.active ? ' active' : ''}`),
    ),
  };
}

async function storedBytes(world: World, pointId: string, disk: number): Promise<Buffer> {
  await using reader = await world.repository.openDisk(await world.repository.point(pointId), `disk-${disk}`);
  const bytes = Buffer.alloc(reader.disk.sizeBytes);
  for await (const run of reader.blocks()) if (run.kind === 'data') bytes.set(run.data, run.offset);
  return bytes;
}

/** What the simulator saw the guest suffer: a pause that the plan did not announce, or another state than one that a capture passes through. */
async function harm(world: World, id: number, row: Row): Promise<string[]> {
  const seen = await world.sim.control.history(id);
  const long = seen.pauses.filter((pause) => pause.bytes > 0 && row.allowLongFreeze !== true);
  return [...seen.harm, ...long.map((pause) => `${pause.how} for ${pause.why} of disk ${pause.disk}: ${pause.bytes} bytes`)];
}
