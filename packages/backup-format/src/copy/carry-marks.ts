import type { CallOptions } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import type { Marks } from '../marks/marks.ts';
import type { PointMarks } from '../marks/marks-api.ts';
import type { PointPlace } from '../points.ts';

/** What was noted of copies in the target that had not been noted there. */
export interface CarriedMarks {
  readonly holds: number;
  readonly tags: number;
  /** Marks of the source that cannot be read: they hold the point there, and cannot be carried. */
  readonly unreadable: number;
}

const NOTHING: CarriedMarks = { holds: 0, tags: 0, unreadable: 0 };

/** The marks of all points of the source that have any, by id. Memory: a few marks. */
export async function marksById(source: Marks, wanted: ReadonlySet<string>, call: CallOptions): Promise<ReadonlyMap<string, PointMarks>> {
  const found = new Map<string, PointMarks>();
  for await (const marks of source.list({}, call)) if (wanted.has(marks.pointId)) found.set(marks.pointId, marks);
  return found;
}

/**
 * Brings the holds that stand and the tags of a point to its copy, each once: a hold keeps its id. Nothing is taken away there. A copy that was forgotten
 * meanwhile needs none.
 */
export async function carryMarks(target: Marks, place: PointPlace, marks: PointMarks | undefined, call: CallOptions): Promise<CarriedMarks> {
  if (!marks) return NOTHING;
  try {
    return { ...(await target.carry(place, marks, call)), unreadable: marks.damaged.length };
  } catch (error) {
    if (isRepositoryError(error, 'REPO_POINT_NOT_FOUND')) return NOTHING;
    throw error;
  }
}
