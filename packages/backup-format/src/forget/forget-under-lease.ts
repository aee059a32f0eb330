import type { CallOptions } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import type { HeldLease } from '../lease/held-lease.ts';
import type { Leases } from '../lease/leases.ts';

/**
 * Forgets while a lease says so: a point that is found to be held when its manifest is gone is given back, and until that is decided gc deletes nothing.
 * On a full disk there is no lease, and nothing could be given back.
 */
export async function forgetUnderLease(leases: Leases, forget: () => Promise<void>, options: CallOptions): Promise<void> {
  const lease = await take(leases, options);
  try {
    await forget();
  } finally {
    await lease?.release();
  }
}

async function take(leases: Leases, options: CallOptions): Promise<HeldLease | undefined> {
  try {
    return await leases.take('forget', 'forgetting a restore point', 0, options.signal ? { signal: options.signal } : {});
  } catch (error) {
    if (isRepositoryError(error, 'REPO_NO_SPACE')) return undefined;
    throw error;
  }
}
