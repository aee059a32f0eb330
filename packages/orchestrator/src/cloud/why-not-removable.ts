import { errorCode, serializeError } from '@onevault/base';
import { imageId, type OneApi } from '@onevault/one-client';
import type { CloudObject } from '../cloud-object.ts';
import { whyNotDeletedNow } from '../snapshots/plan-delete.ts';
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
  const why = disk && whyNotDeletedNow(vm, { disk, snapshot });
  return why && { code: 'SNAPSHOT_NOT_DELETABLE', message: `${why.text}; ${why.remedy}` };
}
