import { type CallOptions, errorCode } from '@onevault/base';
import { diskId, imageId, type OneApi, vmId } from '@onevault/one-client';
import { findSnapshot } from './cloud/disk-snapshot.ts';
import type { CloudObject, JournalRecord, JournalStore } from './journal.ts';
import { RUN_MARK } from './names.ts';
import { describeObject } from './run.ts';

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
    const step = record.type === 'run' ? undefined : open.get(record.step);
    if (record.type === 'done' && step !== undefined) step.id = record.id;
    if (record.type === 'undone' || record.type === 'kept') open.delete(record.step);
  }
  return [...open.values()];
}

async function lookFor(
  cloud: OneApi,
  runId: string,
  object: CloudObject,
  id: number | undefined,
  options: CallOptions,
): Promise<{ readonly id: number | undefined } | undefined> {
  try {
    switch (object.kind) {
      case 'snapshot':
        return findSnapshot(await cloud.vm(vmId(object.vmId), options), diskId(object.diskId), (snapshot) => snapshot.name === object.name);
      case 'image':
        return id === undefined ? await imageByName(cloud, runId, object.name, options) : await cloud.image(imageId(id), options);
      case 'attachment':
        return await attachmentBySerial(cloud, object, options);
      case 'template':
        return await firstNamed(cloud.templates(options), object.name);
      case 'vm':
        return id === undefined ? await vmByName(cloud, runId, object.name, options) : await liveVm(cloud, id, options);
    }
  } catch (error) {
    if (errorCode(error) === 'ONE_NO_EXISTS') return undefined;
    throw error;
  }
}

async function imageByName(cloud: OneApi, runId: string, name: string, options: CallOptions): Promise<{ readonly id: number } | undefined> {
  for await (const image of cloud.images(options)) {
    if (image.name === name && (name.includes(runId) || image.template[RUN_MARK] === runId)) return image;
  }
  return undefined;
}

async function attachmentBySerial(
  cloud: OneApi,
  object: Extract<CloudObject, { kind: 'attachment' }>,
  options: CallOptions,
): Promise<{ readonly id: number } | undefined> {
  const proxy = await cloud.vm(vmId(object.proxyVmId), options);
  const disk = proxy.disks.find((entry) => entry.serial === object.serial && entry.imageId === object.imageId);
  return disk && { id: disk.diskId };
}

async function vmByName(cloud: OneApi, runId: string, name: string, options: CallOptions): Promise<{ readonly id: number } | undefined> {
  for await (const summary of cloud.vms(options)) {
    if (summary.name === name && (await cloud.vm(summary.id, options)).userTemplate[RUN_MARK] === runId) return summary;
  }
  return undefined;
}

async function liveVm(cloud: OneApi, id: number, options: CallOptions): Promise<{ readonly id: number } | undefined> {
  for await (const summary of cloud.vms(options)) if (summary.id === id) return summary;
  return undefined;
}

async function firstNamed(objects: AsyncIterable<{ readonly id: number; readonly name: string }>, name: string): Promise<{ readonly id: number } | undefined> {
  for await (const object of objects) if (object.name === name) return object;
  return undefined;
}
