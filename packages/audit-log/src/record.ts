import { createHash } from 'node:crypto';
import { z } from 'zod';

/** Who: a user of OpenNebula, a token of one, the scheduler, or somebody nobody knows. */
const actor = z.strictObject({
  kind: z.enum(['user', 'token', 'system', 'anonymous']),
  name: z.string().max(256),
  /** Where the request came from. */
  address: z.string().max(256).optional(),
});

const entry = z.strictObject({
  actor,
  /** Verb and object in the API's words: `restore.start`, `policy.apply`, `session.begin`. */
  action: z.string().max(128),
  /** What it was done to. */
  object: z.string().max(512),
  outcome: z.enum(['ok', 'refused', 'failed']),
  /** Never a secret. */
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
});

const hash = z.string().regex(/^[0-9a-f]{64}$/);

const record = z.strictObject({
  seq: z.int().min(1),
  /** RFC 3339, UTC. */
  time: z.string().max(40),
  ...entry.shape,
  /** Hash of the record before; zeros for the first. */
  prev: hash,
  /** SHA-256 of the record's other fields as JSON, names in order. */
  hash,
});

/** What a caller says; the log adds number, time and hashes. */
export type AuditEntry = z.output<typeof entry>;
export type AuditRecord = z.output<typeof record>;

export const FIRST_PREV = '0'.repeat(64);

/** A record behind `last`, bound to it. */
export function nextRecord(last: { readonly seq: number; readonly hash: string } | undefined, time: string, said: AuditEntry): AuditRecord {
  const unbound = { seq: (last?.seq ?? 0) + 1, time, ...entry.parse(said), prev: last?.hash ?? FIRST_PREV };
  return { ...unbound, hash: hashOf(unbound) };
}

/** Undefined for a line that is no record, or one whose hash is not its own. */
export function parseRecord(line: string): AuditRecord | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined;
  }
  const parsed = record.safeParse(json);
  if (!parsed.success) return undefined;
  const { hash: own, ...unbound } = parsed.data;
  return hashOf(unbound) === own ? parsed.data : undefined;
}

/** One line, with its end. */
export function formatRecord(written: AuditRecord): string {
  return `${JSON.stringify(written)}\n`;
}

function hashOf(unbound: Omit<AuditRecord, 'hash'>): string {
  return createHash('sha256').update(ordered(unbound)).digest('hex');
}

/** JSON with the names of every object in order: the same whatever wrote or read it. */
function ordered(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${ordered(field)}`).join(',')}}`;
}
