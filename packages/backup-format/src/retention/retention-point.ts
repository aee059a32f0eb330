import { TIME } from '../format/ids.ts';

/** What retention must know of a restore point. A RestorePoint is one; its tags, holds and damage come from whoever keeps them. */
export interface RetentionPoint {
  readonly id: string;
  readonly group: string;
  /** RFC 3339, UTC. */
  readonly capturedAt: string;
  readonly tags?: readonly string[];
  readonly holds?: readonly RetentionHold[];
  /** A verify found that it cannot be restored whole, or its manifest cannot be read. */
  readonly damaged?: boolean;
}

/** Someone's word, or the store's object lock, that a point must stay. */
export interface RetentionHold {
  /** For people: a ticket, a person, a law. */
  readonly name: string;
  /** RFC 3339, UTC; the hold is over after this instant. Without it, it stays until it is taken away. */
  readonly until?: string;
}

/** Retention is decided for each group alone, so that one VM's points never push out another's. Groups and points keep their order. */
export function groupForRetention<P extends RetentionPoint>(points: Iterable<P>): ReadonlyMap<string, readonly P[]> {
  const groups = new Map<string, P[]>();
  for (const point of points) {
    const group = groups.get(point.group);
    if (group) group.push(point);
    else groups.set(point.group, [point]);
  }
  return groups;
}

/** Milliseconds of an instant in UTC. Throws RangeError. */
export function instantOf(text: string): number {
  const atMs = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) throw new RangeError(`"${text}" is not an RFC 3339 time in UTC`);
  return atMs;
}
