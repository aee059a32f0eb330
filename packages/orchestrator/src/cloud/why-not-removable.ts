import { errorCode, serializeError } from '@onevault/base';
import { type Disk, type DiskSnapshots, imageId, isRunning, type OneApi, type Snapshot, type Vm } from '@onevault/one-client';
import type { CloudObject } from '../cloud-object.ts';
import { locateSnapshot } from './disk-snapshot.ts';
import { kindOf } from './object-kinds.ts';

/** Stable code and a sentence. */
export interface Obstacle {
  readonly code: string;
  readonly message: string;
}

/**
 * What stands in the way of removing an object of ours, as far as reading tells; undefined when nothing does, or when it is not there. OpenNebula has
 * the last word: an object without an obstacle may still be refused.
 */
export async function whyNotRemovable(cloud: OneApi, runId: string, object: CloudObject, id: number | undefined): Promise<Obstacle | undefined> {
  try {
    if (object.kind === 'snapshot') return await snapshotObstacle(cloud, object, id);
    const found = await kindOf(object).find(cloud, runId, object, id, {});
    return object.kind === 'image' && found?.id !== undefined ? await imageObstacle(cloud, found.id) : undefined;
  } catch (error) {
    if (errorCode(error) !== 'JOB_OBJECT_CHANGED') throw error;
    return { code: 'JOB_OBJECT_CHANGED', message: serializeError(error).message };
  }
}

async function imageObstacle(cloud: OneApi, id: number): Promise<Obstacle | undefined> {
  const image = await cloud.image(imageId(id));
  if (image.vmIds.length === 0) return undefined;
  return { code: 'IMAGE_IN_USE', message: `VM ${image.vmIds.join(', ')} uses image ${id} '${image.name}'` };
}

async function snapshotObstacle(cloud: OneApi, object: Extract<CloudObject, { kind: 'snapshot' }>, id: number | undefined): Promise<Obstacle | undefined> {
  const found = await locateSnapshot(cloud, object, id);
  if (found === undefined) return undefined;
  if ('imageId' in found) {
    return { code: 'SNAPSHOT_ON_IMAGE', message: `it went with its disk to image ${found.imageId}, where an active snapshot cannot be deleted` };
  }
  const { vm, snapshot } = found;
  if (snapshot.name !== object.name) return { code: 'JOB_OBJECT_CHANGED', message: `it is called '${snapshot.name}' now` };
  const disk = vm.disks.find((entry) => entry.diskId === object.diskId);
  const tree = vm.snapshots.find((entry) => entry.diskId === object.diskId);
  if (disk === undefined || tree === undefined) return undefined;
  const message = whyNotDeletable(tree, snapshot, disk) ?? whyDriverFails(vm, disk, tree);
  return message === undefined ? undefined : { code: 'SNAPSHOT_NOT_DELETABLE', message };
}

/** OpenNebula's own rule for the snapshots of a VM's disk, read before it is asked (src/vm/Snapshots.cc, test_delete; opennebula.md e.2). */
export function whyNotDeletable(tree: DiskSnapshots, snapshot: Snapshot, disk: Pick<Disk, 'persistent'>): string | undefined {
  switch (tree.allowOrphans) {
    case 'YES':
      return undefined;
    case 'MIXED':
      if (snapshot.active) return 'it is the active snapshot';
      return snapshot.children.length > 0 ? 'other snapshots are based on it' : undefined;
    default:
      return disk.persistent && snapshot.id === 0 ? 'the first snapshot of a persistent disk can never be deleted' : whyChainBreaks(tree, snapshot);
  }
}

function whyChainBreaks({ snapshots }: DiskSnapshots, { children, active, parent }: Snapshot): string | undefined {
  const [only, ...others] = children;
  if (others.length > 0) return 'several snapshots are based on it';
  if (only === undefined) return undefined;
  if (active) return 'it is active and another snapshot is based on it';
  const child = snapshots.find((entry) => entry.id === only);
  if (child !== undefined && (child.children.length > 1 || (child.children.length === 1 && child.active)))
    return 'the snapshot based on it has others based on it';
  const siblings = snapshots.find((entry) => entry.id === parent)?.children ?? [];
  return siblings.length > 1 ? 'its parent has several snapshots based on it' : undefined;
}

/** Measured: on `local`, deleting the only snapshot of a qcow2 disk of a running VM is accepted and then fails (opennebula.md M.1). */
function whyDriverFails(vm: Vm, disk: Disk, tree: DiskSnapshots): string | undefined {
  const onlyOne = tree.snapshots.length === 1;
  if (disk.tmMad !== 'local' || disk.format !== 'qcow2' || !onlyOne || !isRunning(vm)) return undefined;
  return 'storage driver local cannot delete the only snapshot of a disk while its VM runs; it goes when the VM is powered off';
}
