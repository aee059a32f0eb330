import type { CallOptions, Logger } from '@onevault/base';
import { z } from 'zod';
import { isRepositoryError, RepositoryError } from '../errors.ts';
import type { Envelopes } from '../format/envelopes.ts';
import { HEX_ID, TIME } from '../format/ids.ts';
import { FORMAT_VERSION, MAX_JSON_BYTES } from '../format/limits.ts';
import type { RepositoryConfig } from '../repository-api.ts';
import type { ObjectKey, ObjectStore } from '../store/object-store.ts';
import { readWhole } from '../store/read-whole.ts';

/** docs/format.md section 20: `gc/<number>`, the newest is the one that counts. */
export const GC_PREFIX = 'gc/';
const NUMBER = /^[0-9]{10}$/;
/** Packs that one record may name: 12 TiB of them, 8 MiB of JSON. What is dead beyond that waits for a later run. */
export const MAX_CONDEMNED = 200_000;

/** Packs that came to be condemned together. */
export interface CondemnedGroup {
  /** Number of the record that first named them. */
  readonly record: number;
  /** By the clock of whoever wrote that. */
  readonly at: string;
  readonly packs: readonly string[];
}

export interface GcRecord {
  /** 0 when there is none. */
  readonly number: number;
  readonly condemned: readonly CondemnedGroup[];
  /** Present when the record with this number cannot be read: what it condemned is not known. */
  readonly damaged?: true;
}

export interface GcRecordParts {
  readonly store: ObjectStore;
  readonly config: Pick<RepositoryConfig, 'id'>;
  readonly envelopes: Envelopes;
  readonly logger: Logger;
}

const recordSchema = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  repositoryId: z.string().regex(HEX_ID),
  number: z.int().min(1),
  condemned: z.array(z.strictObject({ record: z.int().min(1), at: z.string().regex(TIME), packs: z.array(z.string().regex(HEX_ID)) })),
});

function recordKey(number: number): ObjectKey {
  return `${GC_PREFIX}${String(number).padStart(10, '0')}`;
}

function parseRecordKey(key: ObjectKey): number | undefined {
  const number = key.slice(GC_PREFIX.length);
  return NUMBER.test(number) && key === recordKey(Number(number)) ? Number(number) : undefined;
}

async function recordNumbers(store: ObjectStore, options: CallOptions): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { key } of store.list(GC_PREFIX, options)) {
    const number = parseRecordKey(key);
    if (number !== undefined) numbers.push(number);
  }
  return numbers;
}

/** Number of the newest record, 0 for none. */
export async function newestRecordNumber(store: ObjectStore, options: CallOptions = {}): Promise<number> {
  return Math.max(0, ...(await recordNumbers(store, options)));
}

/** The newest record. Throws REPO_GC_RECORD_INVALID: what is condemned is not known then. */
export async function readGcRecord(parts: GcRecordParts, options: CallOptions = {}): Promise<GcRecord> {
  for (;;) {
    const number = await newestRecordNumber(parts.store, options);
    if (number === 0) return { number: 0, condemned: [] };
    try {
      return await readRecord(parts, number, options);
    } catch (error) {
      // A newer one is durable before an older one goes.
      if (!isRepositoryError(error, 'REPO_OBJECT_MISSING') || (await newestRecordNumber(parts.store, options)) <= number) throw error;
    }
  }
}

async function readRecord({ store, envelopes, config }: Omit<GcRecordParts, 'logger'>, number: number, options: CallOptions): Promise<GcRecord> {
  const key = recordKey(number);
  const parsed = recordSchema.safeParse(envelopes.decode('gc', key, await readWhole(store, key, MAX_JSON_BYTES, options)));
  if (!parsed.success) throw invalid(key, `is not valid: ${z.prettifyError(parsed.error)}`, parsed.error);
  const { repositoryId, condemned } = parsed.data;
  if (repositoryId !== config.id || parsed.data.number !== number) throw invalid(key, 'belongs in another place');
  return { number, condemned };
}

/** Reads the record under a key, for a verify; anything that is not the key of one is left alone. Throws REPO_GC_RECORD_INVALID. */
export async function checkGcRecord(parts: Omit<GcRecordParts, 'logger'>, key: ObjectKey, options: CallOptions = {}): Promise<void> {
  const number = parseRecordKey(key);
  if (number !== undefined) await readRecord(parts, number, options);
}

/** Writes the record after `previous`, exclusively, then removes what is older. */
export async function writeGcRecord(parts: GcRecordParts, record: GcRecord, options: CallOptions = {}): Promise<void> {
  const { store, envelopes, config } = parts;
  const key = recordKey(record.number);
  const condemned = record.condemned.map((group) => ({ ...group, packs: [...group.packs] }));
  const body = { formatVersion: FORMAT_VERSION, repositoryId: config.id, number: record.number, condemned };
  if ((await store.put(key, envelopes.encode('gc', key, body), { ...options, ifAbsent: true })) === 'existed')
    throw new RepositoryError({ code: 'REPO_OBJECT_EXISTS', message: `${key} is already in the repository`, details: { key } });
}

/** Removes the records before `number`, which no reader asks for any more. */
export async function deleteOlderRecords(store: ObjectStore, number: number, options: CallOptions = {}): Promise<void> {
  for (const older of await recordNumbers(store, options)) if (older < number) await store.delete(recordKey(older), options);
}

function invalid(key: ObjectKey, message: string, cause?: unknown): RepositoryError {
  return new RepositoryError({
    code: 'REPO_GC_RECORD_INVALID',
    message: `the gc record ${key} ${message}`,
    details: { key },
    hint: 'run gc: it begins anew, and nothing that is needed is lost',
    cause,
  });
}
