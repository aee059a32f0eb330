import type { CallOptions } from '@onevault/base';
import type { RepositoryParts } from '../repository-parts.ts';
import { readVerifyRecords } from '../verify/verify-records.ts';

/** Ids of the points that the newest record of a verify calls damaged: it carries over what older ones knew and it did not look at. */
export async function damagedPoints(
  deps: Pick<RepositoryParts, 'store' | 'config' | 'envelopes' | 'logger'>,
  options: CallOptions = {},
): Promise<ReadonlySet<string>> {
  const newest = (await readVerifyRecords(deps, options)).at(-1);
  return new Set(newest?.damage.flatMap(({ points }) => points));
}
