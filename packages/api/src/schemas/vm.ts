import { z } from 'zod';
import { bytes, ms, pageQuery, reason, timestamp } from './wire-values.ts';

export const protection = z
  .discriminatedUnion('state', [
    z.object({ state: z.literal('protected'), policies: z.array(z.string()), until: timestamp }),
    z.object({ state: z.literal('out-of-rpo'), policies: z.array(z.string()), policy: z.string(), lateMs: ms }),
    z.object({
      state: z.literal('unprotected'),
      policies: z.array(z.string()),
      policy: z.string().optional(),
      reason: z.enum(['no-policy', 'no-restore-point']),
    }),
    z.object({ state: z.literal('excluded'), reason: z.string() }),
  ])
  .meta({ id: 'Protection' });

export const vmSummary = z
  .object({
    id: z.int(),
    name: z.string(),
    owner: z.string(),
    group: z.string(),
    state: z.string(),
    host: z.string().optional(),
    labels: z.array(z.string()),
    /** False for one that is gone and has restore points. */
    exists: z.boolean(),
    protection,
    newestPoint: z.object({ id: z.string(), repository: z.string(), capturedAt: timestamp }).optional(),
    points: z.int(),
    /** Of one that exists. */
    diskCount: z.int().optional(),
    sizeBytes: bytes.optional(),
    running: z.string().optional().meta({ description: 'id of the run that works on it' }),
  })
  .meta({ id: 'VmSummary' });

export const vmQuery = pageQuery.extend({
  /** A selector (`label=prod and name=web-*`), or text that the name contains. */
  search: z.string().max(500).optional(),
  protection: z.enum(['protected', 'out-of-rpo', 'unprotected', 'excluded']).optional(),
  sort: z.enum(['name', 'id', 'newest-point', 'protection']).default('name'),
});

export const vmDisk = z
  .object({
    diskId: z.int(),
    target: z.string(),
    sizeBytes: bytes,
    imageId: z.int().optional(),
    image: z.string().optional(),
    datastore: z.string().optional(),
    driver: z.string().optional(),
    format: z.string().optional(),
    persistent: z.boolean(),
    snapshots: z.array(z.object({ id: z.int(), name: z.string().optional(), active: z.boolean(), createdAt: timestamp })),
    /** What the planner would do with it now. */
    capture: z.object({ verdict: z.enum(['ok', 'degraded', 'skipped', 'impossible']), method: z.string().optional(), reasons: z.array(reason) }),
  })
  .meta({ id: 'VmDisk' });

export const vmDetail = z
  .object({
    ...vmSummary.shape,
    hypervisor: z.string().optional(),
    uuid: z.string().optional(),
    lockLevel: z.int().optional(),
    startedAt: timestamp.optional(),
    /** What OpenNebula says went wrong with it last. */
    error: z.string().optional(),
    disks: z.array(vmDisk),
    verdict: z.string(),
    reasons: z.array(reason),
  })
  .meta({ id: 'VmDetail' });

export const point = z
  .object({
    id: z.string(),
    repository: z.string(),
    vmId: z.int(),
    vmName: z.string(),
    capturedAt: timestamp,
    committedAt: timestamp,
    mode: z.enum(['full', 'incremental']),
    consistency: z.string(),
    sizeBytes: bytes,
    /** What came new into the repository with it, compressed. */
    storedBytes: bytes,
    disks: z.array(z.object({ key: z.string(), diskId: z.int(), target: z.string(), sizeBytes: bytes })),
    tags: z.array(z.string()),
    held: z.object({ reason: z.string(), until: timestamp.optional() }).optional(),
    damaged: z.boolean(),
    /** The rules that keep it: `daily#3`, `hold:ticket-42`; empty: it goes with the next retention run. */
    keptBy: z.array(z.string()),
    goesOn: timestamp.optional(),
  })
  .meta({ id: 'Point' });

/** It is printed wherever restore points are listed. */
const oneLine = z.string().regex(/^[^\p{Cc}\u2028\u2029]*$/u, 'one line of printable text');

export const hold = z.object({ reason: oneLine.min(1).max(200), until: timestamp.optional() }).meta({ id: 'Hold' });
export const tags = z.object({ tags: z.array(z.string().min(1).max(64)).max(50) }).meta({ id: 'Tags' });

const refusal = z.object({ code: z.string(), text: z.string(), diskId: z.int().optional(), snapshotId: z.int().optional(), remedy: z.string() });

/** Snapshots of several disks that were taken together; one of somebody else stands alone. */
export const snapshotSet = z
  .object({
    setId: z.string().optional(),
    /** What a revert or a deletion names it by. */
    reference: z.string(),
    name: z.string(),
    createdAt: timestamp,
    ours: z.boolean(),
    /** backup: a backup's own, which takes it away again. */
    origin: z.enum(['set', 'backup', 'foreign']),
    disks: z.array(z.object({ diskId: z.int(), snapshotId: z.int(), active: z.boolean(), sizeBytes: bytes, parent: z.int().optional() })),
    /** Disks that were in the set and of which it has no snapshot any more. */
    missingDisks: z.array(z.int()),
    canRevert: z.boolean(),
    canDelete: z.boolean(),
    /** What stands in the way, and what would help. */
    revertRefusals: z.array(refusal),
    deleteRefusals: z.array(refusal),
    reasons: z.array(reason),
  })
  .meta({ id: 'SnapshotSet' });

/** What a restore in place replaced, kept as the way back. */
export const undoSet = z
  .object({
    set: z.string(),
    vmId: z.int(),
    since: timestamp,
    until: timestamp,
    pointId: z.string().optional(),
    /** False: an image of it is gone, and one cannot go back. */
    complete: z.boolean(),
    images: z.array(z.object({ imageId: z.int(), name: z.string(), sizeBytes: bytes, target: z.string() })),
  })
  .meta({ id: 'UndoSet' });

export const drillQuery = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(100),
  vmId: z.coerce.number().int().min(0).optional(),
});

export const drill = z
  .object({
    id: z.string(),
    repository: z.string(),
    pointId: z.string(),
    vmId: z.int().optional(),
    vmName: z.string().optional(),
    startedAt: timestamp,
    finishedAt: timestamp,
    outcome: z.enum(['passed', 'failed']),
    /** From the beginning to the first sign of life. */
    rtoMs: ms.optional(),
    failure: reason.optional(),
  })
  .meta({ id: 'Drill' });

const pathBytes = z
  .string()
  .max(6000)
  .regex(/^[A-Za-z0-9_-]*$/, 'bytes in base64url')
  .default('');

/** Bytes of a path from the root of the file system, base64url: names need not be UTF-8. */
export const fileQuery = z.object({ filesystem: z.string().max(200).optional(), path: pathBytes });

export const fileListQuery = fileQuery.extend({ limit: z.coerce.number().int().min(1).max(20_000).default(5000) });

export const fileEntry = z
  .object({
    /** As text that can be read; what is no printable text is written as \\xNN. */
    name: z.string(),
    nameBytes: z.string().meta({ description: 'base64url' }),
    /** other: a device, FIFO or socket, or an inode that cannot be read. */
    type: z.enum(['file', 'directory', 'symlink', 'other']),
    sizeBytes: bytes,
    modifiedAt: timestamp.optional(),
    /** Permission bits with set-id and sticky; these three are absent of an inode that cannot be read. */
    mode: z.int().optional(),
    uid: z.int().optional(),
    gid: z.int().optional(),
    target: z.string().optional(),
  })
  .meta({ id: 'FileEntry' });

export const fileListing = z
  .object({
    filesystems: z.array(
      z.object({
        device: z.string(),
        type: z.string(),
        label: z.string().optional(),
        uuid: z.string().optional(),
        sizeBytes: bytes,
        /** Why it cannot be read. */
        problem: z.string().optional(),
      }),
    ),
    /** Which one the entries are of; absent where none was named and there are several. */
    filesystem: z.string().optional(),
    entries: z.array(fileEntry),
    /** There are more than were asked for. */
    truncated: z.boolean(),
  })
  .meta({ id: 'FileListing' });
