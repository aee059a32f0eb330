import type { CallOptions } from '@onevault/base';
import { condemnedBy } from '../gc/condemned.ts';
import { newestRecordNumber, readGcRecord } from '../gc/gc-record.ts';
import { writerPurpose } from '../lease/writer-purpose.ts';
import type { RestorePointSpec } from '../repository-api.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { type CopySpec, checkPointSpec, PointWriter } from './point-writer.ts';

/**
 * Begins a run under a lease of its own. In this order: the lease, then the record of what gc has condemned, then the tables. So gc either sees the lease
 * and keeps what it condemns from then on, or the run sees the record and counts nothing in condemned packs as stored.
 * Throws REPO_GC_RECORD_INVALID when that record is damaged.
 */
export async function beginPoint(parts: RepositoryParts, spec: RestorePointSpec | CopySpec, options: CallOptions = {}): Promise<PointWriter> {
  const call = options.signal ? { signal: options.signal } : {};
  call.signal?.throwIfAborted();
  checkPointSpec(spec);
  let record = await readGcRecord(parts, call);
  const lease = await parts.leases.take('writer', writerPurpose(spec), record.number, call);
  try {
    while ((await newestRecordNumber(parts.store, call)) !== record.number) {
      record = await readGcRecord(parts, call);
      await lease.update({ epoch: record.number }, call);
    }
    await Promise.all([parts.index.reload(), parts.damage.reload()]);
    return new PointWriter(spec, { ...parts, lease, condemned: condemnedBy(record) });
  } catch (error) {
    await lease.release();
    throw error;
  }
}
