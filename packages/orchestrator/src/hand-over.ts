import { serializeError } from '@onevault/base';
import { imageId, type OneApi, vmId } from '@onevault/one-client';
import type { Transfer } from './plan-ownership.ts';
import type { RestoreNote } from './restore-plan.ts';
import type { Run } from './run.ts';

/** A restored object, and whose it is to be. */
export interface HandOver {
  readonly kind: 'vm' | 'image';
  readonly id: number;
  readonly transfer: Transfer;
}

/**
 * Gives restored objects away, last of all: what belongs to somebody else we may not be able to remove any more. They are whole by then, so nothing
 * fails here; what OpenNebula refuses is said. Permissions first: whoever has given an object away has no say in it.
 */
export async function handOver(run: Run, objects: readonly HandOver[]): Promise<RestoreNote[]> {
  const notes: RestoreNote[] = [];
  for (const object of objects) {
    try {
      await give(run.cloud.cloud, object);
    } catch (error) {
      const note = {
        code: 'OWNERSHIP_NOT_GIVEN',
        message: `${object.kind} ${object.id} keeps the owner or permissions it has: ${serializeError(error).message}`,
      };
      run.warn(note.code, note.message);
      notes.push(note);
    }
  }
  return notes;
}

async function give(cloud: OneApi, { kind, id, transfer: { userId, groupId, permissions } }: HandOver): Promise<void> {
  const isVm = kind === 'vm';
  if (permissions !== undefined) await (isVm ? cloud.chmodVm(vmId(id), permissions) : cloud.chmodImage(imageId(id), permissions));
  if (userId === undefined && groupId === undefined) return;
  const owner = { userId, groupId };
  await (isVm ? cloud.chownVm(vmId(id), owner) : cloud.chownImage(imageId(id), owner));
}
