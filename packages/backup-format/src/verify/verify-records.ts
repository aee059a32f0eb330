import { type CallOptions, serializeError } from '@onevault/base';
import { atPlace, isRepositoryError } from '../errors.ts';
import { MAX_JSON_BYTES } from '../format/limits.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { readWhole } from '../store/read-whole.ts';
import { decodeVerifyRecord, encodeVerifyRecord, parseVerifyRecordKey, VERIFY_PREFIX, type VerifyRecord, verifyRecordKey } from './verify-record.ts';

/**
 * Records kept, beside the newest of each mode: what was read whole long ago is worth knowing also when somebody looks at the structure every hour. Each one
 * carries over what an older one knew and it did not look at itself, so that nothing is forgotten with those that go.
 */
const KEPT_RECORDS = 10;

export type RecordDeps = Pick<RepositoryParts, 'store' | 'config' | 'envelopes' | 'logger'>;

/** Oldest first, at most the newest `KEPT_RECORDS`: whoever wants to know what is damaged needs no older one. */
export async function readVerifyRecords(deps: RecordDeps, options: CallOptions = {}): Promise<VerifyRecord[]> {
  return readAll(deps, (await recordIds(deps, options)).slice(-KEPT_RECORDS), options);
}

/** Oldest first, also those that are older and the newest of their mode. */
export async function readKeptRecords(deps: RecordDeps, options: CallOptions = {}): Promise<VerifyRecord[]> {
  return readAll(deps, await recordIds(deps, options), options);
}

/** A damaged one is logged and left out: it is a note about the repository, nothing in it is needed to restore. */
async function readAll(deps: RecordDeps, ids: readonly string[], options: CallOptions): Promise<VerifyRecord[]> {
  const records: VerifyRecord[] = [];
  for (const id of ids) {
    try {
      records.push(await readVerifyRecord(deps, id, options));
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_VERIFY_RECORD_INVALID', 'REPO_UNSUPPORTED_VERSION', 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED', 'REPO_TOO_LARGE'))
        throw error;
      deps.logger.warn({ key: verifyRecordKey(id), error: serializeError(error) }, 'a verify record cannot be read and is left out');
    }
  }
  return records;
}

export async function readVerifyRecord(deps: RecordDeps, id: string, options: CallOptions = {}): Promise<VerifyRecord> {
  const key = verifyRecordKey(id);
  const bytes = await readWhole(deps.store, key, MAX_JSON_BYTES, options);
  return atPlace({ key }, () => decodeVerifyRecord(deps.envelopes, { repositoryId: deps.config.id, id }, bytes));
}

/** Writes a record, then removes those beyond the newest `KEPT_RECORDS` that are not the newest of their mode. */
export async function writeVerifyRecord(deps: RecordDeps, record: VerifyRecord, options: CallOptions = {}): Promise<void> {
  await deps.store.put(verifyRecordKey(record.id), encodeVerifyRecord(deps.envelopes, deps.config.id, record), { ...options, ifAbsent: true });
  const ids = await recordIds(deps, options);
  const old = ids.slice(0, Math.max(0, ids.length - KEPT_RECORDS));
  if (old.length === 0) return;
  const newest = new Map((await readAll(deps, ids, options)).map(({ mode, id }) => [mode, id]));
  const kept = new Set(newest.values());
  for (const id of old) if (!kept.has(id)) await deps.store.delete(verifyRecordKey(id), options);
}

async function recordIds(deps: RecordDeps, options: CallOptions): Promise<string[]> {
  const ids: string[] = [];
  for await (const { key } of deps.store.list(VERIFY_PREFIX, options)) {
    const id = parseVerifyRecordKey(key);
    if (id !== undefined) ids.push(id);
  }
  return ids.sort();
}
