import type { Disk, Snapshot, Vm, VmId } from '@onevault/one-client';
import { type CloudDeps, copyPatienceMs } from './cloud-deps.ts';
import { effectMissing, findSnapshot } from './disk-snapshot.ts';
import type { Send } from './send.ts';
import { twiceIfLost } from './twice-if-lost.ts';
import { settled, whenFree } from './when-free.ts';

/** A snapshot that is to go, as it was when that was decided. */
export interface DeletedSnapshot {
  readonly vmId: VmId;
  readonly disk: Disk;
  readonly snapshot: Snapshot;
}

/**
 * Deletes one snapshot and looks whether it is gone. `check` sees the VM right before the call and throws when it must not be made any more. A call whose
 * answer was lost is made again, unless the snapshot is gone by then. Not abortable: OpenNebula has no way to stop it.
 */
export async function deleteSnapshotOf(deps: CloudDeps, wanted: DeletedSnapshot, check: (vm: Vm) => void): Promise<void> {
  const what = `deletion of snapshot ${wanted.snapshot.id} of disk ${wanted.disk.diskId} of VM ${wanted.vmId}`;
  await twiceIfLost(what, (send) => deleteOnce(deps, wanted, check, what, send));
}

async function deleteOnce(deps: CloudDeps, wanted: DeletedSnapshot, check: (vm: Vm) => void, what: string, send: Send): Promise<void> {
  const { vmId, disk, snapshot } = wanted;
  const before = await whenFree(deps, vmId, what, async (vm) => {
    if (!isThere(vm, wanted)) return vm;
    check(vm);
    await send(() => deps.cloud.deleteDiskSnapshot(vmId, disk.diskId, snapshot.id));
    return vm;
  });
  const after = await settled(deps, vmId, what, { timeoutMs: copyPatienceMs(deps.patience, snapshot.sizeMiB) });
  if (isThere(after, wanted)) throw effectMissing(before, after, `${what} was accepted but the snapshot is still there`);
}

/** By its id and its name; ids are never given twice, but another disk may have come under the DISK_ID. */
function isThere(vm: Vm, { disk, snapshot }: DeletedSnapshot): boolean {
  const sameDisk = vm.disks.some((entry) => entry.diskId === disk.diskId && entry.imageId === disk.imageId);
  return sameDisk && findSnapshot(vm, disk.diskId, (entry) => entry.id === snapshot.id && entry.name === snapshot.name) !== undefined;
}
