import type { CallOptions } from '@onevault/base';
import type { DiskId, Snapshot, SnapshotId, Vm, VmId } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import type { CloudDeps } from './cloud-deps.ts';
import { settled, whenFree } from './when-free.ts';

/** Asks for a disk snapshot. The id comes back before the snapshot exists: `awaitSnapshot` tells whether it came to be. */
export function requestSnapshot(deps: CloudDeps, vm: VmId, disk: DiskId, name: string, options?: CallOptions): Promise<SnapshotId> {
  return whenFree(deps, vm, `snapshot of disk ${disk}`, () => deps.cloud.createDiskSnapshot(vm, disk, name), options);
}

/** Waits for the action to end and looks for the snapshot itself: "success" was answered before anything was done (opennebula.md M.1). */
export async function awaitSnapshot(deps: CloudDeps, before: Vm, disk: DiskId, id: SnapshotId, options?: CallOptions): Promise<void> {
  const after = await settled(deps, before.id, `snapshot ${id} of disk ${disk}`, options);
  if (findSnapshot(after, disk, (snapshot) => snapshot.id === id) === undefined) {
    throw effectMissing(before, after, `snapshot ${id} of disk ${disk} of VM ${before.id} was accepted but does not exist`);
  }
}

/** Removes the snapshot called `name`, wherever its creation stopped; nothing to do when it is not there. Verified by looking again. */
export async function removeSnapshot(deps: CloudDeps, vmId: VmId, disk: DiskId, name: string): Promise<void> {
  const named = (snapshot: Snapshot): boolean => snapshot.name === name;
  const before = await settled(deps, vmId, `removal of snapshot ${name}`);
  if (findSnapshot(before, disk, named) === undefined) return;
  await whenFree(deps, vmId, `removal of snapshot ${name}`, async (vm) => {
    const snapshot = findSnapshot(vm, disk, named);
    if (snapshot !== undefined) await deps.cloud.deleteDiskSnapshot(vmId, disk, snapshot.id);
  });
  const after = await settled(deps, vmId, `removal of snapshot ${name}`);
  if (findSnapshot(after, disk, named) !== undefined) {
    throw effectMissing(before, after, `deletion of snapshot ${name} of disk ${disk} of VM ${vmId} was accepted but the snapshot is still there`);
  }
}

export function findSnapshot(vm: Vm, disk: DiskId, wanted: (snapshot: Snapshot) => boolean): Snapshot | undefined {
  return vm.snapshots.find((entry) => entry.diskId === disk)?.snapshots.find(wanted);
}

/** An action that was accepted and had no effect. USER_TEMPLATE/ERROR is sticky: only a text that was not there before speaks of our action. */
export function effectMissing(before: Vm, after: Vm, message: string): JobError {
  const why = after.error !== undefined && after.error !== before.error ? after.error : undefined;
  return new JobError({
    code: 'JOB_EFFECT_MISSING',
    message: why === undefined ? message : `${message}: ${why}`,
    details: { vmId: after.id, ...(why !== undefined && { oneError: why }) },
    hint: `the log of VM ${after.id} on the front-end (/var/log/one/${after.id}.log) says what the storage driver answered`,
  });
}
