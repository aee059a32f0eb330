import { isPoweredOff, type Vm, vmId } from '@onevault/one-client';
import type { CloudObject, RevertedDisk } from '../cloud-object.ts';
import type { CloudDeps } from './cloud-deps.ts';
import { findSnapshot } from './disk-snapshot.ts';
import { objectChanged, unlessGone } from './gone.ts';
import { type DiskTarget, revertDisk } from './revert-disk.ts';
import { wasTouchedSince } from './vm-past.ts';
import { settled } from './when-free.ts';

type RevertObject = Extract<CloudObject, { readonly kind: 'revert' }>;

/**
 * A revert whose process died between two disks is finished: a VM with half its disks of another time is nothing that anybody asked for. Every disk is
 * reverted, also one that already was: nothing has written to it since. Only while the VM stands as it was left: once it ran, what it wrote must not be
 * thrown away, and its disks stay as they are. Answers whether there was anything to finish.
 */
export async function finishRevert(deps: CloudDeps, object: RevertObject): Promise<boolean> {
  const vm = await unlessGone(settled(deps, vmId(object.vmId), `revert of VM ${object.vmId}`, { timeoutMs: deps.patience.copyMs, mayBeDone: true }));
  if (vm === undefined || !isPoweredOff(vm) || wasTouchedSince(vm, object.seq)) return false;
  for (const target of object.disks.map((disk) => targetOf(vm, disk))) await revertDisk(deps, target);
  return true;
}

function targetOf(vm: Vm, wanted: RevertedDisk): DiskTarget {
  const disk = vm.disks.find((entry) => entry.diskId === wanted.diskId && entry.imageId === wanted.imageId);
  const snapshot = disk && findSnapshot(vm, disk.diskId, (entry) => entry.id === wanted.snapshotId && entry.name === wanted.name);
  if (disk !== undefined && snapshot !== undefined) return { vmId: vm.id, disk, snapshot };
  throw objectChanged(`the revert of VM ${vm.id} to snapshot ${wanted.snapshotId} '${wanted.name}' of disk ${wanted.diskId} cannot be finished: that is gone`, {
    vmId: vm.id,
    diskId: wanted.diskId,
  });
}
