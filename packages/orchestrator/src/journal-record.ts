import { z } from 'zod';
import type { JournalRecord } from './journal.ts';
import type { Residue } from './residue.ts';

const id = z.number().int();
const placement = z.object({ imageId: id, attributes: z.record(z.string(), z.string()) });
const object = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('snapshot'), vmId: id, diskId: id, name: z.string(), imageId: id.optional() }),
  z.object({ kind: z.literal('image'), name: z.string(), savedFrom: id.optional() }),
  z.object({ kind: z.literal('attachment'), proxyVmId: id, imageId: id, serial: z.string() }),
  z.object({ kind: z.literal('disk'), vmId: id, imageId: id, sizeMiB: id }),
  z.object({ kind: z.literal('template'), name: z.string() }),
  z.object({ kind: z.literal('vm'), name: z.string() }),
  z.object({ kind: z.literal('power'), vmId: id, was: z.enum(['RUNNING']), seq: id }),
  z.object({
    kind: z.literal('revert'),
    vmId: id,
    seq: id,
    disks: z.array(z.object({ diskId: id, imageId: id, snapshotId: id, name: z.string() })),
  }),
  z.object({
    kind: z.literal('swap'),
    vmId: id,
    set: z.string(),
    since: z.string(),
    until: z.string(),
    boot: z.string().optional(),
    pointId: z.string().optional(),
    disks: z.array(z.object({ target: z.string(), diskId: id, imageId: id, back: placement, next: placement })),
  }),
  z.object({ kind: z.literal('overwrite'), imageId: id, name: z.string(), persistent: z.boolean() }),
]);
const time = z.string();
const record = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('run'),
    time,
    runId: z.string(),
    kind: z.enum(['backup', 'restore', 'restore-disk', 'snapshot', 'drill', 'swap', 'delta']),
    endpoint: z.string(),
    owner: z.string(),
    about: z.string(),
  }),
  z.object({ type: z.literal('intent'), time, step: id, object }),
  z.object({ type: z.literal('done'), time, step: id, id }),
  z.object({ type: z.literal('undone'), time, step: id }),
  z.object({ type: z.literal('kept'), time, steps: z.array(id), as: z.enum(['whole', 'failed']).optional() }),
  z.object({ type: z.literal('claimed'), time, claim: z.string(), owner: z.string() }),
  z.object({ type: z.literal('released'), time, claim: z.string() }),
]);
const residue = z.object({
  key: z.string(),
  runId: z.string(),
  endpoint: z.string(),
  object,
  id: id.optional(),
  since: z.string(),
  why: z.object({ code: z.string(), message: z.string() }),
});

/** One line of a journal; undefined for one that was torn by a crash. A whole line that cannot be understood is kept as such. */
export function parseJournalRecord(line: string): JournalRecord | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined;
  }
  const parsed = record.safeParse(json);
  return parsed.success ? parsed.data : { type: 'unknown', line };
}

/** Undefined for what is not one. */
export function parseResidue(text: string): Residue | undefined {
  try {
    return { id: undefined, ...residue.parse(JSON.parse(text)) };
  } catch {
    return undefined;
  }
}
