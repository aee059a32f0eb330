import type { CallOptions } from '@onevault/base';
import { RepositoryError } from '../errors.ts';
import { ZERO_HEX } from '../format/bytes.ts';
import { pointKey } from '../format/ids.ts';
import type { RestorePoint } from '../repository-api.ts';
import type { RepositoryParts } from '../repository-parts.ts';

/** A lease of somebody who reads. */
export interface ReadingLease extends AsyncDisposable {
  /** Aborted with REPO_LOCK_LOST when what it protects is not protected any more. What is still there can be read all the same. */
  readonly signal: AbortSignal;
}

/**
 * Names the disk indexes first, then looks whether the manifest is still there (I27). A gc under way has either seen the lease, or read the manifest: both keep what
 * the disks need, and every later gc sees the lease. Nothing that was condemned before is touched by it: what a standing manifest needs is not condemned.
 */
export async function leaseForReading(
  parts: Pick<RepositoryParts, 'leases' | 'store'>,
  point: RestorePoint,
  purpose: string,
  options: CallOptions,
): Promise<ReadingLease> {
  const key = pointKey(point.group, point.id);
  const roots = point.disks.filter(({ root }) => root !== ZERO_HEX).map(({ root, sizeBytes }) => ({ root, sizeBytes }));
  const lease = await parts.leases.take('reader', purpose, 0, options, { roots, point: key });
  try {
    if (await parts.store.stat(key, options)) return lease;
  } catch (error) {
    await lease.release();
    throw error;
  }
  await lease.release();
  throw new RepositoryError({
    code: 'REPO_POINT_NOT_FOUND',
    message: `the restore point ${point.id} was forgotten a moment ago`,
    details: { pointId: point.id },
    hint: 'list the restore points to see what is left',
  });
}
