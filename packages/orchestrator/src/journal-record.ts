import { z } from 'zod';
import type { JournalRecord } from './journal.ts';

const id = z.number().int();
const object = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('snapshot'), vmId: id, diskId: id, name: z.string(), imageId: id.optional() }),
  z.object({ kind: z.literal('image'), name: z.string() }),
  z.object({ kind: z.literal('attachment'), proxyVmId: id, imageId: id, serial: z.string() }),
  z.object({ kind: z.literal('template'), name: z.string() }),
  z.object({ kind: z.literal('vm'), name: z.string() }),
  z.object({ kind: z.literal('power'), vmId: id, was: z.enum(['RUNNING']) }),
  z.object({
    kind: z.literal('revert'),
    vmId: id,
    seq: id,
    disks: z.array(z.object({ diskId: id, imageId: id, snapshotId: id, name: z.string() })),
  }),
]);
const time = z.string();
const record = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('run'),
    time,
    runId: z.string(),
    kind: z.enum(['backup', 'restore', 'snapshot']),
    endpoint: z.string(),
    owner: z.string(),
    about: z.string(),
  }),
  z.object({ type: z.literal('intent'), time, step: id, object }),
  z.object({ type: z.literal('done'), time, step: id, id }),
  z.object({ type: z.literal('undone'), time, step: id }),
  z.object({ type: z.literal('kept'), time, steps: z.array(id) }),
]);

/** One line of a journal; undefined for what is not one (torn by a crash). */
export function parseJournalRecord(line: string): JournalRecord | undefined {
  try {
    return record.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
