import type { Disk, Vm } from '@onevault/one-client';
import { describe, expect, it } from 'vitest';
import { type CaptureChoice, type DiskPlan, planBackup, type ReasonCode } from '../../src/index.ts';
import { buildDatastore, buildDisk, buildSnapshots, buildSurroundings, buildVm } from '../../testing/index.ts';

/**
 * What our notes on OpenNebula say of each way to capture a disk, row by row, written down by hand: section 0 is the table of verdicts, M.1 what was measured on
 * real front-ends. The planner must agree with every row; it has no part in writing them.
 */
interface Row {
  readonly source: string;
  readonly says: string;
  readonly disk: Partial<Disk>;
  readonly vm?: Partial<Vm>;
  /** Ids of snapshots that the disk has, in a line; and the next one's, when it is not the one after. */
  readonly snapshots?: readonly number[];
  readonly next?: number;
  readonly version?: string;
  readonly capture?: CaptureChoice;
  readonly allowLongFreeze?: boolean;
  readonly gives: 'snapshot' | 'live-copy' | 'offline' | 'refuse';
  readonly stays?: boolean;
  readonly pause?: 'none' | 'moment' | 'whole-copy';
  readonly code?: ReasonCode;
}

const ALL = ['6.10.5', '7.0.2', '7.4.0'] as const;
const POWEROFF = { state: 8, lcmState: 0 };
const AGENT = { guestAgent: true };
const NATIVE = { backupConfig: { MODE: 'INCREMENT' } };
const persistent = { persistent: true, clone: false };
const orphans = (mode: string, more: Readonly<Record<string, string>> = {}): Pick<Disk, 'attributes'> => ({ attributes: { ALLOW_ORPHANS: mode, ...more } });
const qcow2 = { tmMad: 'qcow2', format: 'qcow2', ...orphans('FORMAT') };
const shared = { tmMad: 'shared', format: 'qcow2', ...orphans('FORMAT') };
const raw = { format: 'raw', ...orphans('FORMAT') };
const local = { tmMad: 'local', format: 'qcow2', ...orphans('FORMAT') };
const ssh = { tmMad: 'ssh', format: 'qcow2', ...orphans('YES') };
const ceph = { tmMad: 'ceph', format: 'raw', type: 'RBD', ...orphans('mixed') };
const cephOnSsh = { ...ceph, type: 'FILE', ...orphans('mixed', { TM_MAD_SYSTEM: 'ssh' }) };
const fsLvm = { tmMad: 'fs_lvm', format: 'raw', type: 'BLOCK' };
const fsLvmSsh = { tmMad: 'fs_lvm_ssh', format: 'raw', type: 'BLOCK', ...orphans('YES') };
const thin = { ...fsLvmSsh, ...orphans('YES', { LVM_THIN_ENABLE: 'YES' }) };
const lvm = { tmMad: 'lvm', format: 'raw', type: 'BLOCK', ...orphans('YES') };

const SECTION_0: readonly Row[] = [
  { source: '0, row 1', says: 'qcow2, qcow2, RUNNING: snapshot→saveas→delete', disk: qcow2, gives: 'snapshot', pause: 'moment' },
  { source: '0, row 1', says: 'shared is the same', disk: shared, gives: 'snapshot', pause: 'moment' },
  { source: '0, row 1', says: 'or saveas -1, when asked for', disk: qcow2, capture: 'live-copy', gives: 'live-copy', pause: 'none' },
  { source: '0, row 1', says: 'POWEROFF: saveas -1', disk: qcow2, vm: POWEROFF, gives: 'offline' },
  { source: '0, row 2', says: 'qcow2, raw, RUNNING: saveas -1', disk: { ...qcow2, ...raw }, gives: 'live-copy', pause: 'none', code: 'SNAPSHOT_PAUSES_GUEST' },
  { source: '0, row 2', says: 'shared is the same', disk: { ...shared, ...raw }, gives: 'live-copy' },
  {
    source: '0, row 2',
    says: 'a snapshot would pause the guest for a full cp',
    disk: { ...qcow2, ...raw },
    capture: 'snapshot',
    gives: 'refuse',
    code: 'REFUSE_LONG_FREEZE',
  },
  {
    source: '0, row 2',
    says: 'which can be accepted',
    disk: { ...qcow2, ...raw },
    capture: 'snapshot',
    allowLongFreeze: true,
    gives: 'snapshot',
    pause: 'whole-copy',
  },
  { source: '0, row 2', says: 'POWEROFF: saveas -1', disk: { ...qcow2, ...raw }, vm: POWEROFF, gives: 'offline' },
  { source: '0, row 3', says: 'local, qcow2: saveas -1', disk: local, gives: 'live-copy', pause: 'none' },
  { source: '0, row 3', says: 'POWEROFF: saveas -1', disk: local, vm: POWEROFF, gives: 'offline' },
  { source: '0, row 4', says: 'local, raw: saveas -1', disk: { ...local, ...raw }, gives: 'live-copy', code: 'SNAPSHOT_COPIES_TWICE' },
  { source: '0, row 4', says: 'ssh, any format: saveas -1', disk: ssh, gives: 'live-copy', code: 'SNAPSHOT_COPIES_TWICE' },
  { source: '0, row 4', says: 'ssh, raw', disk: { ...ssh, format: 'raw' }, gives: 'live-copy' },
  { source: '0, row 4', says: 'POWEROFF: saveas -1', disk: ssh, vm: POWEROFF, gives: 'offline' },
  { source: '0, row 5', says: 'ceph: snapshot→saveas→delete', disk: ceph, gives: 'snapshot', pause: 'none' },
  { source: '0, row 5', says: 'persistent as well: never active, so always deletable', disk: { ...ceph, ...persistent }, gives: 'snapshot' },
  { source: '0, row 5', says: 'do not use -1 on Ceph', disk: ceph, capture: 'live-copy', gives: 'refuse', code: 'LIVE_COPY_TORN' },
  { source: '0, row 5', says: 'POWEROFF: saveas -1', disk: ceph, vm: POWEROFF, gives: 'offline' },
  {
    source: '0, row 6',
    says: 'ceph on a system datastore of ssh: the guest stands still while importing',
    disk: cephOnSsh,
    gives: 'refuse',
    code: 'REFUSE_LONG_FREEZE',
  },
  { source: '0, row 6', says: 'saveas -1, when that is accepted', disk: cephOnSsh, allowLongFreeze: true, gives: 'live-copy', pause: 'whole-copy' },
  {
    source: '0, row 6',
    says: 'ceph.ssh refuses snapshots',
    disk: cephOnSsh,
    capture: 'snapshot',
    allowLongFreeze: true,
    gives: 'refuse',
    code: 'SNAPSHOT_NOT_SUPPORTED',
  },
  { source: '0, row 6', says: 'POWEROFF: saveas -1', disk: cephOnSsh, vm: POWEROFF, gives: 'offline' },
  { source: '0, row 7', says: 'fs_lvm_ssh thin, 7.0 and later, with an agent: snapshot', disk: thin, vm: AGENT, gives: 'snapshot', pause: 'moment' },
  { source: '0, row 7', says: 'needs a working guest agent', disk: thin, gives: 'refuse', code: 'SNAPSHOT_NEEDS_GUEST_AGENT' },
  { source: '0, row 7', says: 'not in 6.10', disk: thin, vm: AGENT, version: '6.10.5', gives: 'refuse', code: 'SNAPSHOT_NOT_SUPPORTED' },
  { source: '0, row 7', says: 'POWEROFF: saveas -1', disk: thin, vm: POWEROFF, gives: 'offline' },
  { source: '0, row 8', says: 'fs_lvm: no consistent live method', disk: fsLvm, gives: 'refuse', code: 'REFUSE_DRIVER_NO_CONSISTENT_METHOD' },
  { source: '0, row 8', says: 'fs_lvm_ssh, not thin: the same', disk: fsLvmSsh, vm: AGENT, gives: 'refuse', code: 'SNAPSHOT_NOT_SUPPORTED' },
  { source: '0, row 8', says: 'a dd of the live volume is not crash-consistent', disk: fsLvm, capture: 'live-copy', gives: 'refuse', code: 'LIVE_COPY_TORN' },
  { source: '0, row 8', says: 'there is nothing to snapshot', disk: fsLvm, capture: 'snapshot', gives: 'refuse', code: 'SNAPSHOT_NOT_SUPPORTED' },
  { source: '0, row 8', says: 'POWEROFF: saveas -1', disk: fsLvm, vm: POWEROFF, gives: 'offline' },
  { source: '0, row 9', says: 'lvm, 7.4: either', disk: lvm, version: '7.4.0', gives: 'snapshot' },
  { source: '0, row 9', says: 'lvm, 7.4: -1 takes a snapshot of its own', disk: lvm, version: '7.4.0', capture: 'live-copy', gives: 'live-copy' },
  { source: '0, row 9', says: 'lvm, earlier: no driver', disk: lvm, version: '7.0.2', gives: 'refuse', code: 'SNAPSHOT_NOT_SUPPORTED' },
  { source: '0, row 9', says: 'POWEROFF: saveas -1', disk: lvm, version: '7.4.0', vm: POWEROFF, gives: 'offline' },
  { source: '0, row 10', says: 'dev: nothing is supported', disk: { tmMad: 'dev', format: 'raw' }, gives: 'refuse', code: 'REFUSE_DRIVER_NO_EXPORT' },
  { source: '0, row 10', says: 'in POWEROFF neither', disk: { tmMad: 'dev', format: 'raw' }, vm: POWEROFF, gives: 'refuse', code: 'REFUSE_DRIVER_NO_EXPORT' },
  { source: '0, row 10', says: 'iscsi_libvirt is the same', disk: { tmMad: 'iscsi_libvirt', format: 'raw' }, capture: 'snapshot', gives: 'refuse' },
  {
    source: '0, line 2',
    says: 'a VM in native INCREMENT mode refuses every snapshot',
    disk: qcow2,
    vm: NATIVE,
    gives: 'live-copy',
    code: 'SNAPSHOT_REFUSED_BY_NATIVE_INCREMENTAL',
  },
  {
    source: '0, line 2',
    says: 'also a demanded one',
    disk: qcow2,
    vm: NATIVE,
    capture: 'snapshot',
    gives: 'refuse',
    code: 'SNAPSHOT_REFUSED_BY_NATIVE_INCREMENTAL',
  },
  { source: '0, line 2', says: 'on Ceph nothing is left then', disk: ceph, vm: NATIVE, gives: 'refuse', code: 'SNAPSHOT_REFUSED_BY_NATIVE_INCREMENTAL' },
  { source: '0, line 2', says: 'on lvm of 7.4 the live copy is', disk: lvm, vm: NATIVE, version: '7.4.0', gives: 'live-copy' },
  { source: '0, line 2', says: 'READONLY disks refuse snapshots', disk: { ...ceph, readonly: true }, gives: 'live-copy', code: 'CAPTURE_READONLY' },
];

const MEASURED: readonly Row[] = [
  { source: 'M.1, row 1', says: 'qcow2, non-persistent: the only snapshot can be deleted, nothing left', disk: qcow2, gives: 'snapshot', stays: false },
  { source: 'M.1, row 1', says: 'one with a parent too, and its image stands alone', disk: qcow2, snapshots: [0], gives: 'snapshot', stays: false },
  {
    source: 'M.1, row 2',
    says: 'qcow2, persistent: the only snapshot is refused at once',
    disk: { ...qcow2, ...persistent },
    gives: 'live-copy',
    code: 'SNAPSHOT_STAYS',
  },
  { source: 'M.1, row 2', says: 'and stays when it is demanded', disk: { ...qcow2, ...persistent }, capture: 'snapshot', gives: 'snapshot', stays: true },
  { source: 'M.1, row 2', says: 'one with a parent can be deleted', disk: { ...qcow2, ...persistent }, snapshots: [0], gives: 'snapshot', stays: false },
  {
    source: 'M.1, row 2',
    says: 'ids are never used again: id 0 is spent',
    disk: { ...qcow2, ...persistent },
    snapshots: [],
    next: 2,
    gives: 'snapshot',
    stays: false,
  },
  {
    source: 'M.1, row 3',
    says: 'a raw image in a DRIVER=qcow2 datastore has become qcow2',
    disk: { ...qcow2, ...orphans('FORMAT', { DRIVER: 'qcow2' }) },
    gives: 'snapshot',
    stays: false,
  },
  { source: 'M.1, row 4', says: 'local, non-persistent: deleting the only snapshot fails afterwards', disk: local, gives: 'live-copy', code: 'SNAPSHOT_STAYS' },
  { source: 'M.1, row 4', says: 'and stays when it is demanded', disk: local, capture: 'snapshot', gives: 'snapshot', stays: true },
  { source: 'M.1, row 4', says: 'an image saved of a child is unusable', disk: local, snapshots: [0], gives: 'live-copy', code: 'SNAPSHOT_UNREADABLE' },
  { source: 'M.1, row 4', says: 'whoever demands it', disk: local, snapshots: [0], capture: 'snapshot', gives: 'refuse', code: 'SNAPSHOT_UNREADABLE' },
  { source: 'M.1, row 5', says: 'local, persistent: live copy', disk: { ...local, ...persistent }, gives: 'live-copy', stays: false },
  { source: 'M.1, row 5', says: 'a snapshot would stay', disk: { ...local, ...persistent }, capture: 'snapshot', gives: 'snapshot', stays: true },
  {
    source: 'M.1, row 6',
    says: 'ssh: snapshot 0 of a persistent disk can be deleted, but is a full copy',
    disk: { ...ssh, ...persistent },
    capture: 'snapshot',
    gives: 'snapshot',
    stays: false,
  },
  { source: 'M.1, row 6', says: 'so the one copy it is', disk: { ...ssh, ...persistent }, gives: 'live-copy' },
];

const ELSEWHERE: readonly Row[] = [
  {
    source: 'e.2',
    says: 'a datastore that denies orphans, persistent: snapshot 0 stays on Ceph too',
    disk: { ...ceph, ...persistent, ...orphans('NO') },
    gives: 'refuse',
    code: 'SNAPSHOT_STAYS',
  },
  { source: 'e.2', says: 'not persistent: a leaf can be deleted', disk: { ...ceph, ...orphans('NO') }, gives: 'snapshot' },
  { source: 'e.3', says: 'local came with 7.0', disk: local, version: '6.10.5', gives: 'refuse', code: 'LIVE_COPY_NOT_SUPPORTED' },
  {
    source: 'e.3',
    says: 'netapp: listed, scripts not in the tree',
    disk: { tmMad: 'netapp', format: 'raw', ...orphans('LINEAR') },
    gives: 'refuse',
    code: 'REFUSE_DRIVER_UNKNOWN',
  },
  {
    source: 'e.3',
    says: 'from 7.0 on it can be tried',
    version: '7.0.2',
    disk: { tmMad: 'netapp', format: 'raw', ...orphans('LINEAR') },
    capture: 'snapshot',
    gives: 'snapshot',
    code: 'SNAPSHOT_NOT_MEASURED',
  },
  { source: 'f', says: 'ceph on ssh: undeployed is refused', disk: cephOnSsh, vm: { state: 9, lcmState: 0 }, gives: 'refuse', code: 'REFUSE_DRIVER_STATE' },
  { source: 'f', says: 'ceph on ssh: stopped is refused', disk: cephOnSsh, vm: { state: 4, lcmState: 0 }, gives: 'refuse', code: 'REFUSE_DRIVER_STATE' },
  { source: 'f', says: 'ceph on ssh: suspended is not', disk: cephOnSsh, vm: { state: 5, lcmState: 0 }, gives: 'offline' },
  { source: 'f', says: 'SUSPENDED: saveas', disk: qcow2, vm: { state: 5, lcmState: 0 }, gives: 'offline', code: 'GUEST_MEMORY_ELSEWHERE' },
  { source: 'f', says: 'STOPPED: saveas', disk: qcow2, vm: { state: 4, lcmState: 0 }, gives: 'offline', code: 'GUEST_MEMORY_ELSEWHERE' },
  { source: 'f', says: 'UNDEPLOYED: saveas', disk: qcow2, vm: { state: 9, lcmState: 0 }, gives: 'offline' },
  {
    source: 'e.4',
    says: 'no snapshot of a SUSPENDED disk, not even a demanded one',
    disk: qcow2,
    vm: { state: 5, lcmState: 0 },
    capture: 'snapshot',
    gives: 'offline',
  },
];

function planRow(row: Row, version: string): DiskPlan {
  const disk = buildDisk(row.disk);
  const snapshots = row.snapshots === undefined ? [] : [{ ...buildSnapshots(disk, row.snapshots, row.next), allowOrphans: 'NO' }];
  const vm = buildVm({ disks: [disk], snapshots, ...row.vm });
  const request = { capture: row.capture ?? 'auto', allowLongFreeze: row.allowLongFreeze === true, excludeDisks: [] } as const;
  const [planned] = planBackup(vm, request, buildSurroundings({ version, datastores: [buildDatastore()] })).disks;
  if (planned === undefined) throw new Error('no disk was planned');
  return planned;
}

/** Without a version of its own a row holds for all; `local` and thin volumes are not in 6.10 at all. */
function versionsOf(row: Row): readonly string[] {
  if (row.version !== undefined) return [row.version];
  const since7 = row.disk.tmMad === 'local' || row.disk === thin;
  return ALL.filter((version) => !since7 || version !== '6.10.5');
}

function expectRow(row: Row, version: string): void {
  const planned = planRow(row, version);
  const codes = planned.reasons.map((entry) => entry.code);
  expect(planned.verdict === 'capture' ? planned.method : planned.verdict, `${version}: ${codes.join(' ')}`).toBe(row.gives);
  if (row.code !== undefined) expect(codes, version).toContain(row.code);
  if (planned.verdict !== 'capture') return;
  expect(planned.residue.length > 0, version).toBe(row.stays === true);
  if (row.pause !== undefined) expect(planned.pause, version).toBe(row.pause);
}

describe.each([
  ['section 0', SECTION_0],
  ['section M.1', MEASURED],
  ['sections e and f', ELSEWHERE],
])('%s of our notes', (_section, rows) => {
  it.each(rows)('$source: $says', (row) => {
    for (const version of versionsOf(row)) expectRow(row, version);
  });
});
