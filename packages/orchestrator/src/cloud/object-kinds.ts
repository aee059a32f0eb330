import type { CallOptions } from '@onevault/base';
import { imageId, isDone, isPoweredOff, type OneApi, templateId, vmId } from '@onevault/one-client';
import type { CloudObject } from '../cloud-object.ts';
import { type Attachers, type AttachmentObject, attacherFor } from './attachment-of-proxy.ts';
import type { CloudDeps } from './cloud-deps.ts';
import { findDiskOfVm, removeDiskOfVm } from './disk-of-vm.ts';
import { locateSnapshot, removeSnapshot } from './disk-snapshot.ts';
import { finishRevert } from './finish-revert.ts';
import { unlessGone } from './gone.ts';
import { findOwnTemplate, findOwnVm, removeTemplate, removeVm } from './new-vm.ts';
import { findOverwritten, giveBackPersistence } from './overwritten-image.ts';
import { bringBack } from './power-state.ts';
import { findOwnImage, removeImage } from './remove-image.ts';
import { isHalfSwapped, swapBack } from './swap-back.ts';

/** What taking things back needs, wherever they are. */
export interface UndoDeps extends CloudDeps, Attachers {}

/** An object that is there; its number where it has one. */
export interface Found {
  readonly id: number | undefined;
}

/**
 * How one kind of object is found and taken away. Both go by the name it was given before it existed; an id, where it is known, spares a search.
 * JOB_OBJECT_CHANGED: it is there, and somebody made it theirs.
 */
export interface ObjectKind<O extends CloudObject> {
  find(cloud: OneApi, runId: string, object: O, id: number | undefined, options: CallOptions): Promise<Found | undefined>;
  /** Verified, and answers whether it was there. Idempotent. Not abortable: a clean-up that is cut short leaves behind what it was there to remove. */
  remove(deps: UndoDeps, runId: string, object: O, id: number | undefined): Promise<boolean>;
}

type Kinds = { readonly [K in CloudObject['kind']]: ObjectKind<Extract<CloudObject, { readonly kind: K }>> };

/** Every kind there is: a new one is a line in `cloud-object.ts`, one in `journal-record.ts` and one here. */
const KINDS: Kinds = {
  snapshot: {
    async find(cloud, _runId, object, id, options) {
      const found = await locateSnapshot(cloud, object, id, options);
      return found && { id: 'snapshot' in found ? found.snapshot.id : id };
    },
    remove: (deps, _runId, object, id) => removeSnapshot(deps, object, id),
  },
  image: {
    find: (cloud, runId, object, id, options) => findOwnImage(cloud, runId, object, branded(id, imageId), options),
    remove: (deps, runId, object, id) => removeImage(deps, runId, object, branded(id, imageId)),
  },
  attachment: {
    find: findAttachment,
    async remove(deps, runId, object) {
      const there = await findAttachment(deps.cloud, runId, object);
      await attacherFor(deps, object).detach({ serial: object.serial, imageId: object.imageId });
      return there !== undefined;
    },
  },
  disk: {
    find: (cloud, _runId, object, _id, options) => findDiskOfVm(cloud, object, options),
    remove: (deps, _runId, object) => removeDiskOfVm(deps, object),
  },
  template: {
    find: (cloud, _runId, { name }, id, options) => findOwnTemplate(cloud, name, branded(id, templateId), options),
    remove: (deps, _runId, { name }, id) => removeTemplate(deps, name, branded(id, templateId)),
  },
  vm: {
    find: (cloud, runId, { name }, id, options) => findOwnVm(cloud, runId, name, branded(id, vmId), options),
    remove: (deps, runId, { name }, id) => removeVm(deps, runId, name, branded(id, vmId)),
  },
  power: {
    find: (cloud, _runId, { vmId: id }, _id, options) => stillStopped(cloud, id, options),
    remove: (deps, _runId, object) => bringBack(deps, object),
  },
  revert: {
    find: (cloud, _runId, { vmId: id }, _id, options) => stillStopped(cloud, id, options),
    remove: (deps, _runId, object) => finishRevert(deps, object),
  },
  swap: {
    find: async (cloud, _runId, object, _id, options) => ((await isHalfSwapped(cloud, object, options)) ? { id: object.vmId } : undefined),
    remove: (deps, _runId, object) => swapBack(deps, object),
  },
  overwrite: {
    find: (cloud, _runId, object, _id, options) => findOverwritten(cloud, object, options),
    remove: (deps, _runId, object) => giveBackPersistence(deps, object),
  },
};

export function kindOf<O extends CloudObject>(object: O): ObjectKind<O> {
  const kinds: Readonly<Record<string, ObjectKind<never>>> = KINDS;
  const kind = kinds[object.kind];
  if (kind === undefined) throw new TypeError(`an object of no known kind: ${object.kind}`);
  return kind as ObjectKind<O>;
}

function branded<Id>(id: number | undefined, brand: (id: number) => Id): Id | undefined {
  return id === undefined ? undefined : brand(id);
}

/** A VM that we stopped and that nobody has taken anywhere since. */
async function stillStopped(cloud: OneApi, id: number, options: CallOptions): Promise<Found | undefined> {
  const vm = await unlessGone(cloud.vm(vmId(id), options));
  return vm !== undefined && isPoweredOff(vm) ? { id } : undefined;
}

async function findAttachment(cloud: OneApi, _runId: string, object: AttachmentObject, _id?: number, options: CallOptions = {}): Promise<Found | undefined> {
  const proxy = await unlessGone(cloud.vm(vmId(object.proxyVmId), options));
  if (proxy === undefined || isDone(proxy)) return undefined;
  const disk = proxy.disks.find((entry) => entry.serial === object.serial && entry.imageId === object.imageId);
  return disk && { id: disk.diskId };
}
