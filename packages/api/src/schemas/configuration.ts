import { z } from 'zod';
import { bytes, ms, objectName, pageQuery, reason, timestamp } from './wire-values.ts';

/** As it stands in YAML or JSON. What it may hold is said by the policies package, with which the server checks it. */
export const policyDocument = z.looseObject({ kind: z.enum(['backup', 'snapshot']), name: objectName }).meta({ id: 'PolicyDocument' });

export const policySummary = z
  .object({
    name: objectName,
    kind: z.enum(['backup', 'snapshot']),
    enabled: z.boolean(),
    document: z.record(z.string(), z.unknown()),
    matches: z.int(),
    nextRunAt: timestamp.optional(),
    rpoMs: ms.optional(),
  })
  .meta({ id: 'PolicySummary' });

export const policyPreview = z
  .object({
    selected: z.int(),
    excluded: z.int(),
    vms: z.array(
      z.object({
        id: z.int(),
        name: z.string(),
        verdict: z.enum(['selected', 'excluded', 'opted-out']),
        by: z.string().optional(),
        reason: z.string().optional(),
      }),
    ),
    nextRuns: z.array(z.object({ at: timestamp, mode: z.string() })),
  })
  .meta({ id: 'PolicyPreview' });

export const calendarQuery = pageQuery.extend({ vmId: z.coerce.number().int().optional(), on: timestamp.optional() });
export const calendarDay = z
  .object({ pointId: z.string(), vmId: z.int(), capturedAt: timestamp, keptBy: z.array(z.string()), goesOn: timestamp.optional() })
  .meta({ id: 'CalendarDay' });

/** When a repository is looked after: schedules as policies have them, or `none`. */
export const maintenance = z
  .object({
    timezone: z.string().max(64),
    gc: z.string().max(200),
    verify: z.string().max(200),
    verifyMode: z.enum(['structure', 'sample', 'all']),
  })
  .meta({ id: 'Maintenance' });

export const repository = z
  .object({
    name: objectName,
    /** A directory or an S3 URL, never with secrets. This and what is counted of everybody: for administrators. */
    place: z.string().max(2000).optional(),
    /** The name of the file that holds its secret: for administrators. */
    secretFile: z.string().max(200).optional(),
    encrypted: z.boolean(),
    reachable: z.boolean(),
    problem: reason.optional(),
    points: z.int().optional(),
    storedBytes: bytes.optional(),
    freeBytes: bytes.optional(),
    lastVerifyAt: timestamp.optional(),
    damagedPoints: z.int().optional(),
    maintenance: maintenance.optional(),
  })
  .meta({ id: 'Repository' });

export const repositorySpec = z
  .object({
    place: z.string().min(1).max(2000),
    /** How its secret is found: the name of a file in the server's secrets directory. */
    secretFile: z.string().max(200).optional(),
    create: z.boolean().default(false),
    /** What is absent is as it was; of a new one: garbage collection and a sample verify once a week. */
    maintenance: maintenance.partial().optional(),
  })
  .meta({ id: 'RepositorySpec' });

export const placeSpec = z.object({ place: z.string().min(1).max(2000), secretFile: z.string().max(200).optional() }).meta({ id: 'PlaceSpec' });

/** What is at a place, as the server that answers sees it; a worker on another machine has to have the same there. */
export const placeCheck = z
  .object({
    /** repository: it can be opened. empty, absent: one can be made. occupied: something else is there. unusable: the reasons say why. */
    verdict: z.enum(['repository', 'empty', 'absent', 'occupied', 'unusable']),
    encrypted: z.boolean().optional(),
    freeBytes: bytes.optional(),
    reasons: z.array(z.object({ ...reason.shape, remedy: z.string().optional() })),
  })
  .meta({ id: 'PlaceCheck' });
export type PlaceCheck = z.output<typeof placeCheck>;

export const proxy = z
  .object({
    /** Absent: the worker runs in no VM of this cloud. */
    vmId: z.int().optional(),
    name: z.string(),
    worker: z.string(),
    state: z.enum(['ready', 'busy', 'lost']),
    lastSeenAt: timestamp,
    running: z.int(),
    slots: z.int(),
    datastores: z.array(z.object({ id: z.int(), name: z.string(), reachable: z.boolean(), reasons: z.array(reason) })),
  })
  .meta({ id: 'Proxy' });

const captureCell = z.object({
  method: z.enum(['snapshot', 'live-copy', 'offline', 'refuse']),
  consistency: z.string().optional(),
  /** How long the guest stands still. */
  pause: z.enum(['none', 'moment', 'whole-copy']),
  degraded: z.boolean(),
  codes: z.array(z.string()),
  remedy: z.string().optional(),
});

/** An image datastore, and how disks of it are captured in each state of their VM. */
export const datastore = z
  .object({
    id: z.int(),
    name: z.string(),
    driver: z.string(),
    enabled: z.boolean(),
    availableBytes: bytes,
    totalBytes: bytes,
    capture: z.array(z.object({ format: z.string(), persistent: z.boolean(), states: z.record(z.string(), captureCell) })),
  })
  .meta({ id: 'Datastore' });

export const finding = z
  .object({
    area: z.string(),
    severity: z.enum(['ok', 'warning', 'error', 'unknown']),
    code: z.string(),
    what: z.string(),
    why: z.string(),
    /** There unless nothing is wrong. */
    remedy: z.string().optional(),
  })
  .meta({ id: 'Finding' });

export const orphan = z
  .object({
    kind: z.string(),
    name: z.string(),
    id: z.int().optional(),
    runId: z.string().optional(),
    where: z.string().optional(),
    sizeBytes: bytes.optional(),
    since: timestamp.optional(),
  })
  .meta({ id: 'Orphan' });

export const overview = z
  .object({
    protection: z.object({ protected: z.int(), outOfRpo: z.int(), unprotected: z.int(), excluded: z.int() }),
    /** The worst off, at most 20. */
    outOfRpo: z.array(z.object({ vmId: z.int(), name: z.string(), policy: z.string(), lateMs: ms })),
    running: z.array(z.string()),
    queued: z.int(),
    failures: z.array(
      z.object({
        runId: z.string(),
        vmId: z.int().optional(),
        name: z.string(),
        at: timestamp,
        code: z.string(),
        message: z.string(),
        hint: z.string().optional(),
      }),
    ),
    repositories: z.array(repository),
    /** For administrators. */
    orphans: z.int().optional(),
    nothingRanSince: timestamp.optional(),
    /** When OpenNebula was last read; absent: not yet. */
    seenAt: timestamp.optional(),
    /** Why it could not be read the last time. */
    cloudProblem: reason.optional(),
    /** The database was lost and made anew, for a day; not done: restore points are being read, and schedules wait for that. For administrators. */
    madeAnew: z.object({ since: timestamp, isDone: z.boolean() }).optional(),
  })
  .meta({ id: 'Overview' });

export const settingsApply = z.object({ yaml: z.string().max(1024 * 1024), dryRun: z.boolean().default(false) }).meta({ id: 'SettingsApply' });
export const settingsDiff = z
  .object({
    changes: z.array(z.object({ kind: z.string(), name: z.string(), action: z.enum(['create', 'change', 'remove', 'keep']), diff: z.string() })),
    /** Of repositories that are new or at another place than before. */
    checks: z.array(z.object({ name: objectName, place: z.string(), ...placeCheck.shape })).optional(),
    applied: z.boolean(),
  })
  .meta({ id: 'SettingsDiff' });

export const notificationTest = z.object({ channel: objectName }).meta({ id: 'NotificationTest' });
