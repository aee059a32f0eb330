import type { CallOptions } from '@onevault/base';
import { isRepositoryError, RepositoryError } from '../errors.ts';
import { pointKey } from '../format/ids.ts';
import type { HeldLease } from '../lease/held-lease.ts';
import type { Marks } from '../marks/marks.ts';
import { type StandingHold, standingHolds } from '../marks/standing.ts';
import type { PointPlace } from '../points.ts';
import type { RepositoryParts } from '../repository-parts.ts';

export interface ForgetOptions extends CallOptions {
  /** Also when the group has no other good point. */
  readonly evenLast?: boolean;
}

export interface ForgetDeps extends Pick<RepositoryParts, 'store' | 'points' | 'clock'> {
  readonly marks: Marks;
  /** Ids of points that verify found damaged. */
  damagedPoints(options?: CallOptions): Promise<ReadonlySet<string>>;
}

/** The lease of whoever forgets: its intent stands as long as that does. */
type ForgetLease = Pick<HeldLease, 'id' | 'signal' | 'prove' | 'abandon'>;

/**
 * Removes a restore point: its manifest, then what is noted of it. What it alone used is space for the garbage collection.
 *
 * Refuses a held point (REPO_POINT_HELD) and, without `evenLast`, one after which the group would have no good point left (REPO_POINT_LAST_GOOD). What it is
 * about to do stands in the repository before both are looked at for the last time, and whoever holds the point or forgets another one looks for that: of two
 * at least one sees the other and gives way. Nothing is put back. Killed anywhere it leaves the point whole or gone; tags of one that is gone are removed by `sweep`.
 * Without a lease, on a full store, there is no intent: a hold that is written right between the last look and the deletion is lost.
 */
export async function forgetPoint(deps: ForgetDeps, id: string, options: ForgetOptions = {}, lease?: ForgetLease): Promise<void> {
  const place = await deps.points.resolve(id, options);
  const call = options.signal ? { signal: options.signal } : {};
  const damaged = options.evenLast || !(await isReadable(deps, place, call)) ? undefined : await deps.damagedPoints(call);
  const refuse = async (): Promise<void> => {
    await refuseHeld(deps, place, call);
    if (damaged && !(await hasOtherGood(deps, place, damaged, lease, call))) throw lastGood(place);
  };
  await refuse();
  const announced = lease && (await announce(deps, place, lease, call));
  try {
    if (announced) await refuse();
    call.signal?.throwIfAborted();
    await lease?.prove();
  } catch (error) {
    if (announced) await deps.marks.intents.withdraw(place, lease.id);
    throw error;
  }
  await deleteManifest(deps, place, lease);
  await deps.marks.clear(place);
  if (announced) await deps.marks.intents.withdraw(place, lease.id);
}

/** False on a full store, where points must be forgotten all the same. */
async function announce(deps: ForgetDeps, place: PointPlace, lease: ForgetLease, call: CallOptions): Promise<boolean> {
  try {
    await deps.marks.intents.announce(place, lease.id, call);
    return true;
  } catch (error) {
    if (isRepositoryError(error, 'REPO_NO_SPACE')) return false;
    throw error;
  }
}

/** A deletion of which nobody knows whether it will still happen: intent and lease are left until it surely does not. */
async function deleteManifest({ store, marks }: ForgetDeps, place: PointPlace, lease: ForgetLease | undefined): Promise<void> {
  try {
    await store.delete(pointKey(place.group, place.id), lease ? { signal: lease.signal } : {});
  } catch (error) {
    if (isRepositoryError(error, 'REPO_OBJECT_LOCKED', 'REPO_NOT_WRITABLE', 'REPO_ACCESS_DENIED')) {
      if (lease) await marks.intents.withdraw(place, lease.id).catch(() => undefined);
    } else lease?.abandon();
    throw error;
  }
}

async function refuseHeld(deps: ForgetDeps, place: PointPlace, options: CallOptions): Promise<void> {
  const holds = standingHolds(await deps.marks.of(place, options), deps.clock.now());
  if (holds.length > 0) throw held(place, holds);
}

async function isReadable(deps: ForgetDeps, place: PointPlace, options: CallOptions): Promise<boolean> {
  try {
    await deps.points.read(place, options);
    return true;
  } catch (error) {
    if (isRepositoryError(error, 'REPO_MANIFEST_INVALID', 'REPO_UNSUPPORTED_VERSION', 'REPO_OBJECT_MISSING')) return false;
    throw error;
  }
}

/**
 * Whether a group has a good point beside this one that nobody is forgetting. Who forgets is looked for before manifests are: of a point that goes meanwhile
 * one of the two is seen. Reads manifests, newest first, until one is good.
 */
async function hasOtherGood(
  deps: ForgetDeps,
  { group, id }: PointPlace,
  damaged: ReadonlySet<string>,
  lease: ForgetLease | undefined,
  call: CallOptions,
): Promise<boolean> {
  const leaving = await deps.marks.intents.underWay({ group }, { ...call, except: lease?.id });
  for (const place of (await deps.points.places({ group }, call)).reverse()) {
    if (place.id === id || damaged.has(place.id) || leaving.has(place.id)) continue;
    if (await isReadable(deps, place, call)) return true;
  }
  return false;
}

function held(place: PointPlace, holds: readonly StandingHold[]): RepositoryError {
  const told = holds.map(({ reason, by, until }) => `${reason}${by === undefined ? '' : ` (${by}${until === undefined ? '' : `, until ${until}`})`}`);
  return new RepositoryError({
    code: 'REPO_POINT_HELD',
    message: `the restore point ${place.id} is held: ${told.join('; ')}`,
    details: { pointId: place.id, holds },
    hint: 'release the hold first, if it is yours to release',
  });
}

function lastGood({ group, id }: PointPlace): RepositoryError {
  return new RepositoryError({
    code: 'REPO_POINT_LAST_GOOD',
    message: `the restore point ${id} is the last good one of ${group}, or all others are being forgotten at this moment`,
    details: { pointId: id },
    hint: 'make another restore point first, or say that even the last one may go',
  });
}
