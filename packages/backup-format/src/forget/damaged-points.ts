import type { CallOptions } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { parseVerifyRecordKey, VERIFY_PREFIX, type VerifyRecord } from '../verify/verify-record.ts';
import { readVerifyRecord } from '../verify/verify-records.ts';

type RecordParts = Pick<RepositoryParts, 'store' | 'config' | 'envelopes' | 'logger'>;

/** Ids of the points that the newest record of a verify calls damaged: it carries over what older ones knew and it did not look at. */
export async function damagedPoints(parts: RecordParts, options: CallOptions = {}): Promise<ReadonlySet<string>> {
  const newest = await newestRecord(parts, options);
  return new Set(newest?.damage.flatMap(({ points }) => points));
}

/** The newest one that can be read; others are not. */
async function newestRecord(parts: RecordParts, options: CallOptions): Promise<VerifyRecord | undefined> {
  const ids: string[] = [];
  for await (const { key } of parts.store.list(VERIFY_PREFIX, options)) {
    const id = parseVerifyRecordKey(key);
    if (id !== undefined) ids.push(id);
  }
  for (const id of ids.sort().reverse()) {
    try {
      return await readVerifyRecord(parts, id, options);
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_VERIFY_RECORD_INVALID', 'REPO_UNSUPPORTED_VERSION', 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED', 'REPO_TOO_LARGE'))
        throw error;
    }
  }
  return undefined;
}
