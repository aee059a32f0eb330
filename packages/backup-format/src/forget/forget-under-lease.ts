import type { CallOptions } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import type { HeldLease } from '../lease/held-lease.ts';
import type { Leases } from '../lease/leases.ts';

/** Forgets under a lease, as long as which what it announces counts. On a full disk there is none. */
export async function forgetUnderLease(leases: Leases, forget: (lease: HeldLease | undefined) => Promise<void>, options: CallOptions): Promise<void> {
  const lease = await take(leases, options);
  try {
    await forget(lease);
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
