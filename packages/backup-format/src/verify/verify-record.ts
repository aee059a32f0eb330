import { z } from 'zod';
import { RepositoryError } from '../errors.ts';
import type { Envelopes } from '../format/envelopes.ts';
import { DIGEST_HEX, HEX_ID, TIME, TIME_ID } from '../format/ids.ts';
import { FORMAT_VERSION } from '../format/limits.ts';

/** docs/format.md section 21: what a verify or a repair found. The key is `verify/<time id>.json`. */
export const VERIFY_PREFIX = 'verify/';

/** Bounds of one record: past them `complete` is false, and the next verify finds the rest once these are healed. */
export const MAX_RECORDED_CHUNKS = 65_536;
export const MAX_RECORDED_OBJECTS = 4096;
export const MAX_RECORDED_POINTS = 50_000;

const count = z.int().min(0);
const position = z.string().regex(/^[0-9a-f]{8}$/);
const pointIds = z.array(z.string().regex(TIME_ID)).max(MAX_RECORDED_POINTS);

const damageSchema = z.strictObject({
  key: z.string().min(1).max(256),
  code: z.string().min(1).max(64),
  chunks: z.array(z.string().regex(DIGEST_HEX)).max(MAX_RECORDED_CHUNKS),
  points: pointIds,
});

const recordSchema = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  repositoryId: z.string().regex(HEX_ID),
  id: z.string().regex(TIME_ID),
  startedAt: z.string().regex(TIME),
  finishedAt: z.string().regex(TIME),
  mode: z.enum(['structure', 'sample', 'all', 'repair']),
  sample: z.strictObject({ seed: position, percent: z.number().gt(0).max(100) }).nullable(),
  nextSample: position,
  counts: z.strictObject({
    points: count,
    packs: count,
    chunks: count,
    checkedChunks: count,
    readBytes: count,
    orphanPacks: count,
    damaged: count,
    healed: count,
  }),
  damage: z.array(damageSchema).max(MAX_RECORDED_OBJECTS),
  complete: z.boolean(),
  soundPoints: pointIds,
  quarantined: z.array(z.string().min(1).max(256)).max(MAX_RECORDED_OBJECTS),
});

/** What one verify or repair left behind for those who come after it. */
export interface VerifyRecord extends Omit<z.infer<typeof recordSchema>, 'formatVersion' | 'repositoryId'> {}

/** An object that was found damaged: its key, what is wrong, the chunks that cannot be read there any more, the restore points that need one of them. */
export type RecordedDamage = VerifyRecord['damage'][number];

export function verifyRecordKey(id: string): string {
  return `${VERIFY_PREFIX}${id}.json`;
}

/** The id in the key of a record, or undefined for what is none (I14). */
export function parseVerifyRecordKey(key: string): string | undefined {
  const id = key.slice(VERIFY_PREFIX.length).replace(/\.json$/, '');
  return TIME_ID.test(id) && key === verifyRecordKey(id) ? id : undefined;
}

export function encodeVerifyRecord(envelopes: Envelopes, repositoryId: string, record: VerifyRecord): Buffer {
  return envelopes.encode('verify', verifyRecordKey(record.id), { ...record, formatVersion: FORMAT_VERSION, repositoryId });
}

/** Throws REPO_VERIFY_RECORD_INVALID, also for a record that belongs in another place, or REPO_UNSUPPORTED_VERSION. */
export function decodeVerifyRecord(envelopes: Envelopes, place: { readonly repositoryId: string; readonly id: string }, bytes: Uint8Array): VerifyRecord {
  const parsed = recordSchema.safeParse(envelopes.decode('verify', verifyRecordKey(place.id), bytes));
  if (!parsed.success) throw invalid(`is not valid: ${z.prettifyError(parsed.error).slice(0, 500)}`, parsed.error);
  const { formatVersion: _version, repositoryId, ...record } = parsed.data;
  if (repositoryId !== place.repositoryId) throw invalid(`belongs to the repository ${repositoryId}`);
  if (record.id !== place.id) throw invalid(`is really the record ${record.id}`);
  return record;
}

function invalid(message: string, cause?: unknown): RepositoryError {
  return new RepositoryError({ code: 'REPO_VERIFY_RECORD_INVALID', message: `the verify record ${message}`, cause });
}
