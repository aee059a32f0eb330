import type { CallOptions } from '@onevault/base';
import { type DiskId, imageId, isDone, type OneApi, type Snapshot, type SnapshotId, type Vm, vmId } from '@onevault/one-client';
import type { CloudObject } from '../cloud-object.ts';
import { JobError } from '../errors.ts';
import { type CloudDeps, copyPatienceMs } from './cloud-deps.ts';
import { objectChanged, unlessGone } from './gone.ts';
import type { Send } from './send.ts';
import { assertUnchanged, type Planned } from './unchanged.ts';
import { settled, whenFree } from './when-free.ts';

type SnapshotObject = Extract<CloudObject, { readonly kind: 'snapshot' }>;

/** Asks for a disk snapshot. The id comes back before the snapshot exists: `awaitSnapshot` tells whether it came to be. */
export function requestSnapshot(deps: CloudDeps, planned: Planned, name: string, send: Send, options?: CallOptions): Promise<SnapshotId> {
  const { vm, disk } = planned;
  const request = (now: Vm): Promise<SnapshotId> => {
    assertUnchanged(now, planned);
    return send(() => deps.cloud.createDiskSnapshot(vm.id, disk.diskId, name));
  };
  return whenFree(deps, vm.id, `snapshot of disk ${disk.diskId}`, request, options);
}

/** Waits for the action to end and looks for the snapshot itself: "success" was answered before anything was done (opennebula.md M.1). */
export async function awaitSnapshot(deps: CloudDeps, planned: Planned, id: SnapshotId, options: CallOptions = {}): Promise<void> {
  const { vm: before, disk } = planned;
  const after = await settled(deps, before.id, `snapshot ${id} of disk ${disk.diskId}`, { ...options, timeoutMs: copyPatienceMs(deps.patience, disk.sizeMiB) });
  assertUnchanged(after, planned);
  if (findSnapshot(after, disk.diskId, (snapshot) => snapshot.id === id) === undefined) {
    throw effectMissing(before, after, `snapshot ${id} of disk ${disk.diskId} of VM ${before.id} was accepted but does not exist`);
  }
}

/** Where our snapshot is: on the disk of its VM, on the image its disk went home to, or nowhere. By id where it is known, and by name. */
export async function locateSnapshot(
  cloud: OneApi,
  object: SnapshotObject,
  id: number | undefined,
  options: CallOptions = {},
): Promise<{ readonly vm: Vm; readonly snapshot: Snapshot } | { readonly imageId: number } | undefined> {
  const vm = await unlessGone(cloud.vm(vmId(object.vmId), options));
  const disk = vm?.disks.find((entry) => entry.diskId === object.diskId);
  const isOurs = object.imageId === undefined || disk?.imageId === object.imageId;
  if (vm !== undefined && disk !== undefined && isOurs && !isDone(vm)) {
    const snapshot = findSnapshot(vm, disk.diskId, (entry) => entry.name === object.name || entry.id === id);
    return snapshot && { vm, snapshot };
  }
  if (object.imageId === undefined) return undefined;
  const image = await unlessGone(cloud.image(imageId(object.imageId), options));
  return image?.xml.includes(object.name) === true ? { imageId: object.imageId } : undefined;
}

/** Removes the snapshot, wherever its creation stopped. Answers whether there was one. Verified by looking again. */
export async function removeSnapshot(deps: CloudDeps, object: SnapshotObject, id: number | undefined): Promise<boolean> {
  const what = `removal of snapshot ${object.name}`;
  const vm = await unlessGone(settled(deps, vmId(object.vmId), what, { timeoutMs: deps.patience.copyMs, mayBeDone: true }));
  const found = vm === undefined ? undefined : await locateSnapshot(deps.cloud, object, id);
  if (found === undefined) return false;
  if ('imageId' in found) {
    throw objectChanged(`snapshot ${object.name} went with its disk to image ${found.imageId}, where OpenNebula removes snapshots only by hand`, found);
  }
  const { snapshot } = found;
  if (snapshot.name !== object.name)
    throw objectChanged(`snapshot ${snapshot.id} of disk ${object.diskId} of VM ${object.vmId} is called '${snapshot.name}' now`, { snapshotId: snapshot.id });
  const before = await deleteSnapshot(deps, object, snapshot.id, what);
  const after = await settled(deps, before.id, what, { timeoutMs: copyPatienceMs(deps.patience, snapshot.sizeMiB), mayBeDone: true });
  if (
    !isDone(after) &&
    findSnapshot(after, before.disks.find((disk) => disk.diskId === object.diskId)?.diskId, (entry) => entry.id === snapshot.id) !== undefined
  ) {
    throw effectMissing(
      before,
      after,
      `deletion of snapshot ${object.name} of disk ${object.diskId} of VM ${object.vmId} was accepted but the snapshot is still there`,
    );
  }
  return true;
}

/** Answers the VM as it was right before the call. */
function deleteSnapshot(deps: CloudDeps, object: SnapshotObject, id: SnapshotId, what: string): Promise<Vm> {
  return whenFree(deps, vmId(object.vmId), what, async (vm) => {
    const disk = vm.disks.find((entry) => entry.diskId === object.diskId);
    if (disk !== undefined && findSnapshot(vm, disk.diskId, (entry) => entry.id === id) !== undefined)
      await deps.cloud.deleteDiskSnapshot(vm.id, disk.diskId, id);
    return vm;
  });
}

export function findSnapshot(vm: Vm, disk: DiskId | undefined, wanted: (snapshot: Snapshot) => boolean): Snapshot | undefined {
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
