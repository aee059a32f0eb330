import { type CallOptions, errorCode } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import { type Found, kindOf } from './cloud/object-kinds.ts';
import { type CloudObject, describeObject } from './cloud-object.ts';
import { holderOf, type JournalStore } from './journal.ts';
import { openSteps } from './open-steps.ts';

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
    const run = records.find((record) => record.type === 'run');
    if (run?.endpoint !== cloud.endpoint.href || (await holderOf(records, (owner) => journals.isAlive(owner))) !== undefined) continue;
    for (const { object, id } of openSteps(records)) {
      const present = await lookFor(cloud, runId, object, id, options);
      if (present !== undefined) found.push({ runId, object, id: present.id, label: describeObject(object, present.id) });
    }
  }
  return found;
}

async function lookFor(cloud: OneApi, runId: string, object: CloudObject, id: number | undefined, options: CallOptions): Promise<Found | undefined> {
  try {
    return await kindOf(object).find(cloud, runId, object, id, options);
  } catch (error) {
    if (errorCode(error) === 'JOB_OBJECT_CHANGED') return { id }; // still there, under another name
    throw error;
  }
}
