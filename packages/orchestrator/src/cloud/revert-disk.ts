import { type Disk, isPoweredOff, type Snapshot, type SnapshotId, type Vm, type VmId, vmStateName } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import { type CloudDeps, copyPatienceMs } from './cloud-deps.ts';
import { effectMissing, findSnapshot } from './disk-snapshot.ts';
import type { Send } from './send.ts';
import { twiceIfLost } from './twice-if-lost.ts';
import { settled, whenFree } from './when-free.ts';

/** A disk and the snapshot it goes back to, as they were when that was decided. */
export interface DiskTarget {
  readonly vmId: VmId;
  readonly disk: Disk;
  readonly snapshot: Snapshot;
}

/**
 * How sure a revert is. `active-moved`: OpenNebula made the snapshot the active one, which it does only after the driver has said yes
 * (LifeCycleStates.cc, disk_snapshot_success). `no-error`: it was the active one before, so nothing could move; no error was reported.
 */
export type RevertProof = 'active-moved' | 'no-error';

/**
 * Takes one disk of a stopped VM back to a snapshot and looks whether it happened. A call whose answer was lost is made again: while the VM stands,
 * twice is as good as once. Not abortable: a disk half-way is worse than one that is done.
 */
export async function revertDisk(deps: CloudDeps, target: DiskTarget): Promise<RevertProof> {
  const what = `revert of disk ${target.disk.diskId} of VM ${target.vmId} to snapshot ${target.snapshot.id}`;
  return await twiceIfLost(what, (send) => revertOnce(deps, target, what, send));
}

async function revertOnce(deps: CloudDeps, target: DiskTarget, what: string, send: Send): Promise<RevertProof> {
  const { vmId, disk, snapshot } = target;
  const before = await whenFree(deps, vmId, what, async (vm) => {
    assertStillThere(vm, target);
    await send(() => deps.cloud.revertDiskSnapshot(vmId, disk.diskId, snapshot.id));
    return vm;
  });
  const after = await settled(deps, vmId, what, { timeoutMs: copyPatienceMs(deps.patience, snapshot.sizeMiB) });
  const failed = `${what} was accepted but has not happened`;
  if (after.error !== before.error) throw effectMissing(before, after, failed);
  if (activeOf(before, target) === snapshot.id) return 'no-error';
  if (activeOf(after, target) !== snapshot.id) throw effectMissing(before, after, failed);
  return 'active-moved';
}

function activeOf(vm: Vm, { disk }: DiskTarget): SnapshotId | undefined {
  return findSnapshot(vm, disk.diskId, (entry) => entry.active)?.id;
}

/** Anybody may detach a disk, resize it, delete a snapshot or start the VM between two calls. */
export function assertStillThere(vm: Vm, { disk, snapshot }: DiskTarget): void {
  const changed = changeSince(vm, disk, snapshot);
  if (changed === undefined) return;
  throw new JobError({
    code: 'JOB_DISK_CHANGED',
    message: `disk ${disk.diskId} of VM ${vm.id} '${vm.name}' was not reverted: ${changed}`,
    details: { vmId: vm.id, diskId: disk.diskId, snapshotId: snapshot.id },
    hint: `somebody else works on this VM: look at onevault snapshot list ${vm.id}, then start again`,
  });
}

function changeSince(vm: Vm, disk: Disk, snapshot: Snapshot): string | undefined {
  const now = vm.disks.find((entry) => entry.diskId === disk.diskId);
  if (now === undefined) return 'it was detached meanwhile';
  if (now.imageId !== disk.imageId) return `it is another disk meanwhile (image ${now.imageId ?? 'none'} instead of ${disk.imageId})`;
  const found = findSnapshot(vm, disk.diskId, (entry) => entry.id === snapshot.id);
  if (found === undefined) return `snapshot ${snapshot.id} '${snapshot.name ?? ''}' is gone meanwhile`;
  if (found.name !== snapshot.name) return `snapshot ${snapshot.id} was renamed from '${snapshot.name ?? ''}' to '${found.name ?? ''}' meanwhile`;
  if (now.sizeMiB !== snapshot.sizeMiB) return `it was resized meanwhile, from ${snapshot.sizeMiB} to ${now.sizeMiB} MiB`;
  return isPoweredOff(vm) ? undefined : `the VM is ${vmStateName(vm)}: somebody started it meanwhile`;
}
