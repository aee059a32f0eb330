import type { CallOptions } from '@onevault/base';
import type { Drills } from '../drills/drills.ts';

/** Brings the records of drills of copied points to the target, each once; they say there which repository was drilled. Answers how many were new. */
export async function carryDrills(
  source: { readonly drills: Drills; readonly repositoryId: string },
  target: Drills,
  points: ReadonlyMap<string, ReadonlySet<string>>,
  call: CallOptions,
): Promise<number> {
  let carried = 0;
  for (const [group, ids] of points) {
    for await (const record of source.drills.list({ group }, call)) {
      if (ids.has(record.pointId) && (await target.carry(record, source.repositoryId, call))) carried += 1;
    }
  }
  return carried;
}
