import type { CallOptions } from '@onevault/base';
import { isRepositoryError, RepositoryError } from '../errors.ts';
import { pointKey } from '../format/ids.ts';
import { MAX_JSON_BYTES } from '../format/limits.ts';
import type { Marks } from '../marks/marks.ts';
import { type StandingHold, standingHolds } from '../marks/standing.ts';
import type { PointPlace } from '../points.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { readWhole } from '../store/read-whole.ts';

export interface ForgetOptions extends CallOptions {
  /** Also when the group has no other good point. */
  readonly evenLast?: boolean;
}

export interface ForgetDeps extends Pick<RepositoryParts, 'store' | 'points' | 'clock'> {
  readonly marks: Marks;
  /** Ids of points that verify found damaged. */
  damagedPoints(options?: CallOptions): Promise<ReadonlySet<string>>;
}

/**
 * Removes a restore point: its manifest, then what is noted of it. What it alone used is space for the garbage collection.
 *
 * Refuses a held point (REPO_POINT_HELD) and, without `evenLast`, one after which the group would have no good point left (REPO_POINT_LAST_GOOD). Both are
 * looked at again when the manifest is gone, and it is put back when a hold has come or the other good points have gone meanwhile: two that forget at
 * once, or one that forgets while another one holds, end as if they had come one after the other. Killed in between, tags of a point that is gone are left; `sweep` removes them.
 */
export async function forgetPoint(deps: ForgetDeps, id: string, options: ForgetOptions = {}): Promise<void> {
  const place = await deps.points.resolve(id, options);
  const call = options.signal ? { signal: options.signal } : {};
  await refuseHeld(deps, place, call);
  const survivors = options.evenLast || !(await isReadable(deps, place, call)) ? undefined : new Survivors(deps, place, await deps.damagedPoints(call));
  if (survivors && !(await survivors.any(call))) throw lastGood(place);
  const key = pointKey(place.group, place.id);
  const manifest = await manifestOf(deps, key, call);
  call.signal?.throwIfAborted();
  await deps.store.delete(key);
  // From here on nothing is aborted: the look behind must not be left out.
  try {
    await refuseHeld(deps, place);
    if (survivors && !(await survivors.any())) throw lastGood(place);
  } catch (error) {
    if (manifest) await deps.store.put(key, manifest, { ifAbsent: true });
    throw error;
  }
  await deps.marks.clear(place);
}

async function refuseHeld(deps: ForgetDeps, place: PointPlace, options: CallOptions = {}): Promise<void> {
  const holds = standingHolds(await deps.marks.of(place, options), deps.clock.now());
  if (holds.length > 0) throw held(place, holds);
}

/** Bytes, so that a manifest comes back exactly as it was; undefined when there is nothing that could be put back. */
async function manifestOf(deps: ForgetDeps, key: string, options: CallOptions): Promise<Uint8Array | undefined> {
  try {
    return await readWhole(deps.store, key, MAX_JSON_BYTES, options);
  } catch (error) {
    if (isRepositoryError(error, 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED', 'REPO_TOO_LARGE')) return undefined;
    throw error;
  }
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

/** The good points that a group has beside one. */
class Survivors {
  readonly #deps: ForgetDeps;
  readonly #place: PointPlace;
  readonly #damaged: ReadonlySet<string>;

  constructor(deps: ForgetDeps, place: PointPlace, damaged: ReadonlySet<string>) {
    this.#deps = deps;
    this.#place = place;
    this.#damaged = damaged;
  }

  /** Reads manifests, newest first, until one is good. */
  async any(options: CallOptions = {}): Promise<boolean> {
    const places = await this.#deps.points.places({ group: this.#place.group }, options);
    for (const place of places.reverse()) {
      if (place.id === this.#place.id || this.#damaged.has(place.id)) continue;
      if (await isReadable(this.#deps, place, options)) return true;
    }
    return false;
  }
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
    message: `the restore point ${id} is the last good one of ${group}`,
    details: { pointId: id },
    hint: 'make another restore point first, or say that even the last one may go',
  });
}
