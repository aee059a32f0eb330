import { diskId, type OneApi, type SnapshotId, type Vm, vmId, vmPoweredOff, vmRunning, vmSettled } from '@onevault/one-client';
import { formatTime } from '../render/units.ts';
import { captureReference } from './capture-reference.ts';
import { compareFiles } from './compare-files.ts';
import type { Mismatches } from './mismatches.ts';
import type { Stage } from './stage.ts';

const DISK = diskId(0);
const PATIENCE_MS = 60_000;

/** A disk snapshot is taken, regretted changes are made, and it brings the disk back. OpenNebula reverts only in POWEROFF. */
export async function diskSnapshots(stage: Stage, vm: number, mismatches: Mismatches): Promise<void> {
  const { signal } = stage.context;
  const id = vmId(vm);
  stage.scene('Disk snapshots: create, list, revert, delete');
  await using cloud = await stage.context.compose.openCloud({ signal });
  const wait = (verdict: (vm: Vm) => 'wait' | 'done', what: string): Promise<Vm> => cloud.waitForVm(id, verdict, { signal, timeoutMs: PATIENCE_MS, what });

  const [before] = await captureReference(stage, vm, [DISK], 'snapshot');
  const snapshot = await cloud.createDiskSnapshot(id, DISK, 'before-upgrade', { signal });
  await wait((seen) => (vmSettled(seen) === 'done' && snapshotsOf(seen).some((one) => one.id === snapshot) ? 'done' : 'wait'), 'the snapshot to appear');
  for (const one of snapshotsOf(await cloud.vm(id, { signal })))
    stage.say(`snapshot ${one.id} '${one.name}' of ${formatTime(one.date * 1000)}${one.active ? ', active' : ''}`);

  await stage.simulator.control.writeRandom(vm, DISK, { seed: 33, count: 200, blockBytes: 4096 });
  stage.say('the guest writes 200 times');
  await powerOffRevertResume(cloud, vm, snapshot, wait, signal);
  const { equal } = await compareFiles(before?.path ?? '', await stage.simulator.control.diskPath(vm, DISK), { signal });
  stage.say(`powered off, reverted, running again: disk ${DISK} is ${equal ? 'byte for byte as it was' : 'NOT as it was'}`);
  if (!equal) mismatches.note(`disk ${DISK} differs after its snapshot was reverted`);

  await cloud.deleteDiskSnapshot(id, DISK, snapshot, { signal });
  const after = await wait((seen) => (vmSettled(seen) === 'done' && snapshotsOf(seen).length === 0 ? 'done' : 'wait'), 'the snapshot to go');
  stage.say(`snapshot deleted: ${snapshotsOf(after).length} left`);
}

async function powerOffRevertResume(
  cloud: OneApi,
  vm: number,
  snapshot: SnapshotId,
  wait: (verdict: (vm: Vm) => 'wait' | 'done', what: string) => Promise<Vm>,
  signal: AbortSignal,
): Promise<void> {
  const id = vmId(vm);
  await cloud.vmAction(id, 'poweroff-hard', { signal });
  await wait(vmPoweredOff, 'POWEROFF');
  await cloud.revertDiskSnapshot(id, DISK, snapshot, { signal });
  await wait(vmPoweredOff, 'the revert to end');
  await cloud.vmAction(id, 'resume', { signal });
  await wait(vmRunning, 'RUNNING');
}

function snapshotsOf(vm: Vm): Vm['snapshots'][number]['snapshots'] {
  return vm.snapshots.find((entry) => entry.diskId === DISK)?.snapshots ?? [];
}
