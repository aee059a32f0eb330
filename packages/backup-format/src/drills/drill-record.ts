import { z } from 'zod';
import { RepositoryError } from '../errors.ts';
import type { Envelopes } from '../format/envelopes.ts';
import { GROUP, HEX_ID, TIME, TIME_ID } from '../format/ids.ts';
import { FORMAT_VERSION } from '../format/limits.ts';
import type { Json } from '../repository-api.ts';
import type { DrillOutcome, DrillRecord } from './drills-api.ts';

/** docs/format.md section 22: what came of a restore that was tried. The key is `drills/<group>/<time id>-<outcome>`. */
export const DRILLS_PREFIX = 'drills/';

/** What can be read of a record; sealed or not, none is larger. */
export const MAX_DRILL_BYTES = 64 * 1024;

const OUTCOMES: readonly DrillOutcome[] = ['passed', 'failed'];

export interface DrillPlace {
  readonly group: string;
  readonly id: string;
  readonly outcome: DrillOutcome;
}

export function drillsPrefix(group: string): string {
  return `${DRILLS_PREFIX}${group}/`;
}

export function drillKey({ group, id, outcome }: DrillPlace): string {
  return `${drillsPrefix(group)}${id}-${outcome}`;
}

/** Undefined for what is no record of a drill (I14). */
export function parseDrillKey(key: string): DrillPlace | undefined {
  const [, group = '', name = ''] = key.split('/');
  const outcome = OUTCOMES.find((candidate) => name.endsWith(`-${candidate}`));
  if (outcome === undefined) return undefined;
  const place = { group, id: name.slice(0, -outcome.length - 1), outcome };
  return GROUP.test(group) && TIME_ID.test(place.id) && key === drillKey(place) ? place : undefined;
}

const time = z
  .string()
  .regex(TIME)
  .refine((text) => !Number.isNaN(Date.parse(text)), 'not a time');
const json: z.ZodType<Json> = z.json();
const recordSchema = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  repositoryId: z.string().regex(HEX_ID),
  group: z.string().regex(GROUP),
  id: z.string().regex(TIME_ID),
  pointId: z.string().regex(TIME_ID),
  outcome: z.enum(['passed', 'failed']),
  startedAt: time,
  finishedAt: time,
  facts: z.record(z.string(), json),
  origin: z.string().regex(HEX_ID).optional(),
});

/** Throws TypeError for what has no place in a record, REPO_TOO_LARGE. */
export function encodeDrillRecord(envelopes: Envelopes, repositoryId: string, record: DrillRecord): { readonly key: string; readonly bytes: Buffer } {
  const checked = recordSchema.safeParse({ ...record, formatVersion: FORMAT_VERSION, repositoryId });
  if (!checked.success) throw new TypeError(`a drill cannot be recorded like this: ${z.prettifyError(checked.error)}`);
  const key = drillKey(record);
  const { origin, ...body } = checked.data;
  const bytes = envelopes.encode('drill', key, origin === undefined ? body : { ...body, origin });
  if (bytes.length > MAX_DRILL_BYTES)
    throw new RepositoryError({ code: 'REPO_TOO_LARGE', message: `the record of a drill would have ${bytes.length} bytes, more than ${MAX_DRILL_BYTES}` });
  return { key, bytes };
}

/** Throws REPO_DRILL_RECORD_INVALID, also for a record that belongs in another place, or REPO_UNSUPPORTED_VERSION. */
export function decodeDrillRecord(envelopes: Envelopes, repositoryId: string, place: DrillPlace, bytes: Uint8Array): DrillRecord {
  const key = drillKey(place);
  const parsed = recordSchema.safeParse(envelopes.decode('drill', key, bytes));
  if (!parsed.success) throw invalid(`${key} is not valid: ${z.prettifyError(parsed.error).slice(0, 500)}`, parsed.error);
  const { formatVersion: _version, repositoryId: ownRepository, origin, ...record } = parsed.data;
  if (ownRepository !== repositoryId || record.group !== place.group || record.id !== place.id || record.outcome !== place.outcome)
    throw invalid(`${key} is really ${drillKey(record)} of the repository ${ownRepository}`);
  return origin === undefined ? record : { ...record, origin };
}

function invalid(message: string, cause?: unknown): RepositoryError {
  return new RepositoryError({ code: 'REPO_DRILL_RECORD_INVALID', message: `the record of a drill ${message}`, cause });
}
