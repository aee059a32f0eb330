import { type CallOptions, errorCode } from '@onevault/base';
import { imageId, isDone, isPoweredOff, type OneApi, templateId, vmId } from '@onevault/one-client';
import { locateSnapshot } from './cloud/disk-snapshot.ts';
import { unlessGone } from './cloud/gone.ts';
import { findOwnTemplate, findOwnVm } from './cloud/new-vm.ts';
import { findOwnImage } from './cloud/remove-image.ts';
import { type CloudObject, describeObject } from './cloud-object.ts';
import type { JournalRecord, JournalStore } from './journal.ts';

/** Something of a run that is dead and that is still in the cloud. */
export interface Leftover {
  readonly runId: string;
  readonly object: CloudObject;
  readonly id: number | undefined;
  /** For a person: `snapshot onevault-… (id 3) of disk 0 of VM 6`. */
  readonly label: string;
}

/** What dead runs began, never took back, and left in the cloud: their journals say what to look for, the cloud says whether it is there. */
export async function findLeftovers(cloud: OneApi, journals: JournalStore, options: CallOptions = {}): Promise<readonly Leftover[]> {
  const found: Leftover[] = [];
  for await (const { runId, records } of journals.unfinished(options)) {
    const owner = records.find((record) => record.type === 'run');
    if (owner === undefined || owner.endpoint !== cloud.endpoint.href || (await journals.isAlive(owner.owner))) continue;
    for (const { object, id } of openSteps(records)) {
      const present = await lookFor(cloud, runId, object, id, options);
      if (present !== undefined) found.push({ runId, object, id: present.id, label: describeObject(object, present.id) });
    }
  }
  return found;
}

/** Steps with an intent and neither `undone` nor `kept`: they may or may not have happened. */
function openSteps(records: readonly JournalRecord[]): { readonly object: CloudObject; readonly id: number | undefined }[] {
  const open = new Map<number, { object: CloudObject; id: number | undefined }>();
  for (const record of records) {
    if (record.type === 'intent') open.set(record.step, { object: record.object, id: undefined });
    const begun = record.type === 'done' ? open.get(record.step) : undefined;
    if (record.type === 'done' && begun !== undefined) begun.id = record.id;
    if (record.type === 'undone') open.delete(record.step);
    if (record.type === 'kept') for (const step of record.steps) open.delete(step);
  }
  return [...open.values()];
}

type Found = { readonly id: number | undefined };

async function lookFor(cloud: OneApi, runId: string, object: CloudObject, id: number | undefined, options: CallOptions): Promise<Found | undefined> {
  try {
    switch (object.kind) {
      case 'snapshot': {
        const found = await locateSnapshot(cloud, object, id, options);
        return found && { id: 'snapshot' in found ? found.snapshot.id : id };
      }
      case 'image':
        return await findOwnImage(cloud, runId, object.name, id === undefined ? undefined : imageId(id), options);
      case 'attachment':
        return await attachmentBySerial(cloud, object, options);
      case 'template':
        return await findOwnTemplate(cloud, object.name, id === undefined ? undefined : templateId(id), options);
      case 'vm':
        return await findOwnVm(cloud, runId, object.name, id === undefined ? undefined : vmId(id), options);
      case 'power':
      case 'revert':
        return await stillStopped(cloud, object.vmId, options);
    }
  } catch (error) {
    if (errorCode(error) === 'JOB_OBJECT_CHANGED') return { id }; // still there, under another name
    throw error;
  }
}

async function attachmentBySerial(cloud: OneApi, object: Extract<CloudObject, { kind: 'attachment' }>, options: CallOptions): Promise<Found | undefined> {
  const proxy = await unlessGone(cloud.vm(vmId(object.proxyVmId), options));
  if (proxy === undefined || isDone(proxy)) return undefined;
  const disk = proxy.disks.find((entry) => entry.serial === object.serial && entry.imageId === object.imageId);
  return disk && { id: disk.diskId };
}

/** A VM that we stopped and that nobody has taken anywhere since. */
async function stillStopped(cloud: OneApi, id: number, options: CallOptions): Promise<Found | undefined> {
  const vm = await unlessGone(cloud.vm(vmId(id), options));
  return vm !== undefined && isPoweredOff(vm) ? { id } : undefined;
}
