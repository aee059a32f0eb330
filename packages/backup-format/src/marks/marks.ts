import { type CallOptions, mapOrdered } from '@onevault/base';
import { isRepositoryError, RepositoryError, withPlace } from '../errors.ts';
import { GROUP, newHexId, pointKey, TIME_ID } from '../format/ids.ts';
import type { PointPlace } from '../points.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { objectExists } from '../store/object-errors.ts';
import { readWhole } from '../store/read-whole.ts';
import { ForgetIntents } from './forget-intents.ts';
import { decodeMark, encodeMark, MAX_MARK_BYTES, type Mark } from './mark-body.ts';
import { MARKS_PREFIX, type MarkPlace, markKey, marksPrefix, parseMarkKey } from './mark-keys.ts';
import type { DamagedMark, Hold, HoldSpec, PointMarks, RepositoryMarks } from './marks-api.ts';
import { standingHolds } from './standing.ts';

export type MarksDeps = Pick<RepositoryParts, 'store' | 'config' | 'envelopes' | 'points' | 'clock' | 'randomBytes'>;

/** Marks are small and each is an object: read so many at once. */
const READS = 8;
/** How long whoever holds a point waits for one who is forgetting it: two more steps, if that process lives. */
const FORGET_WAIT_MS = 10_000;
const FORGET_POLL_MS = 250;

type ReadMark = { readonly at: MarkPlace; readonly key: string } & ({ readonly mark: Mark } | { readonly error: Error } | { readonly gone: true });

/** The holds and tags of a repository, docs/format.md section 18. */
export class Marks implements RepositoryMarks {
  readonly intents: ForgetIntents;
  readonly #deps: MarksDeps;

  constructor(deps: MarksDeps) {
    this.#deps = deps;
    this.intents = new ForgetIntents(deps);
  }

  async *list(filter: { readonly group?: string; readonly pointId?: string } = {}, options: CallOptions = {}): AsyncGenerator<PointMarks, void> {
    const prefix = prefixOf(filter);
    if (prefix === undefined) return;
    let open: Collected | undefined;
    for await (const read of mapOrdered(this.#places(prefix, filter.pointId, options), (one) => this.#read(one, options), { ...options, concurrency: READS })) {
      if (open && !open.isOf(read.at)) yield* open.marks();
      if (!open?.isOf(read.at)) open = new Collected(read.at);
      open.add(read);
    }
    if (open) yield* open.marks();
  }

  /** Of one point; empty when it has none. */
  async of({ group, id }: PointPlace, options: CallOptions = {}): Promise<PointMarks> {
    for await (const marks of this.list({ group, pointId: id }, options)) return marks;
    return { group, pointId: id, holds: [], tags: [], damaged: [], forgetting: [] };
  }

  async hold(pointId: string, spec: HoldSpec, options: CallOptions = {}): Promise<Hold> {
    const hold = { id: newHexId(this.#deps.randomBytes), ...spec, createdAt: this.#deps.clock.now().toISOString() };
    const place = await this.#deps.points.resolve(pointId, options);
    await this.#put(place, { kind: 'hold', ...hold }, options, () => this.#outlastForgetting(place, options));
    return hold;
  }

  async release(pointId: string, holdIds: readonly string[], options: CallOptions = {}): Promise<void> {
    const place = await this.#resolveMarked(pointId, options);
    const { holds, damaged } = await this.of(place, options);
    const keys = holdIds.map((id) => {
      if (holds.some((hold) => hold.id === id)) return markKey(place.group, place.id, 'hold', id);
      return damaged.find((mark) => mark.id === id)?.key ?? holdNotFound(place, id);
    });
    for (const key of keys) await this.#deps.store.delete(key, options);
  }

  async tag(pointId: string, tags: readonly string[], options: CallOptions = {}): Promise<void> {
    const place = await this.#deps.points.resolve(pointId, options);
    const known = new Set((await this.of(place, options)).tags);
    const createdAt = this.#deps.clock.now().toISOString();
    const missing = [...new Set(tags)].filter((name) => !known.has(name));
    const marks = missing.map((name) => ({ kind: 'tag' as const, id: newHexId(this.#deps.randomBytes), name, createdAt }));
    for (const mark of marks) this.#encode(place, mark); // all names are checked before the first is written
    for (const mark of marks) await this.#put(place, mark, options, () => this.#checkThere(place));
  }

  /** Sets what the marks of another repository's copy of this point say and this one's do not. */
  async carry(place: PointPlace, marks: PointMarks, options: CallOptions = {}): Promise<{ readonly holds: number; readonly tags: number }> {
    const { clock, randomBytes } = this.#deps;
    const here = await this.of(place, options);
    const known = new Set([...here.holds, ...here.damaged].map(({ id }) => id));
    const standing = new Set(standingHolds(marks, clock.now()).map(({ id }) => id));
    const holds = marks.holds.filter(({ id }) => standing.has(id) && !known.has(id));
    for (const hold of holds) {
      const put = this.#put(place, { kind: 'hold', ...hold }, options, () => this.#outlastForgetting(place, options));
      await put.catch((error: unknown) => {
        if (!isRepositoryError(error, 'REPO_OBJECT_EXISTS')) throw error; // another copy brought it at the same moment
      });
    }
    const tags = marks.tags.filter((name) => !here.tags.includes(name));
    const createdAt = clock.now().toISOString();
    for (const name of tags) await this.#put(place, { kind: 'tag', id: newHexId(randomBytes), name, createdAt }, options, () => this.#checkThere(place));
    return { holds: holds.length, tags: tags.length };
  }

  async untag(pointId: string, tags: readonly string[], options: CallOptions = {}): Promise<readonly string[]> {
    const place = await this.#deps.points.resolve(pointId, options);
    const removed = new Set<string>();
    for await (const one of this.#places(marksPrefix(place.group, place.id), place.id, options)) {
      const read = await this.#read(one, options);
      if (!('mark' in read) || read.mark.kind !== 'tag' || !tags.includes(read.mark.name)) continue;
      await this.#deps.store.delete(read.key, options);
      removed.add(read.mark.name);
    }
    return [...removed].sort();
  }

  /** Removes whatever is noted of a point that was forgotten, but not holds that stand, and not what others who forget it say. The number of objects removed. */
  async clear(place: PointPlace, options: CallOptions = {}): Promise<number> {
    const standing = new Set(standingHolds(await this.of(place, options), this.#deps.clock.now()).map(({ id }) => id));
    let removed = 0;
    for await (const { at, key } of this.#places(marksPrefix(place.group, place.id), place.id, options)) {
      if (at.kind === 'forgetting' || standing.has(at.id ?? at.name)) continue;
      await this.#deps.store.delete(key, options);
      removed += 1;
    }
    return removed;
  }

  async sweep(options: CallOptions = {}): Promise<number> {
    let removed = 0;
    for await (const { group, pointId } of this.list({}, options)) {
      if (await this.#deps.store.stat(pointKey(group, pointId), options)) continue;
      removed += await this.clear({ group, id: pointId }, options);
      await this.intents.underWay({ group, pointId }, options);
    }
    return removed;
  }

  async *#places(prefix: string, pointId: string | undefined, options: CallOptions): AsyncGenerator<{ readonly at: MarkPlace; readonly key: string }, void> {
    for await (const { key } of this.#deps.store.list(prefix, options)) {
      const at = parseMarkKey(key);
      if (at && (pointId === undefined || at.pointId === pointId)) yield { at, key };
    }
  }

  /** `gone`: removed since it was listed. Failures of the store are thrown, never taken for damage. */
  async #read(one: { readonly at: MarkPlace; readonly key: string }, options: CallOptions): Promise<ReadMark> {
    const { store, config, envelopes } = this.#deps;
    try {
      const bytes = await readWhole(store, one.key, MAX_MARK_BYTES, options);
      return { ...one, mark: decodeMark(envelopes, config.id, one.at, one.key, bytes) };
    } catch (error) {
      if (isRepositoryError(error, 'REPO_OBJECT_MISSING')) return { ...one, gone: true };
      if (!isRepositoryError(error, 'REPO_MARK_INVALID', 'REPO_UNSUPPORTED_VERSION', 'REPO_TOO_LARGE', 'REPO_OBJECT_TRUNCATED')) throw error;
      const placed = withPlace(error, { key: one.key, pointId: one.at.pointId });
      return { ...one, error: placed instanceof Error ? placed : error };
    }
  }

  #encode(place: PointPlace, mark: Mark): ReturnType<typeof encodeMark> {
    return encodeMark(this.#deps.envelopes, { repositoryId: this.#deps.config.id, group: place.group, pointId: place.id }, mark);
  }

  /** Written first, looked around afterwards, and taken back when that throws. */
  async #put(place: PointPlace, mark: Mark, options: CallOptions, lookAround: () => Promise<void>): Promise<void> {
    const { key, bytes } = this.#encode(place, mark);
    if ((await this.#deps.store.put(key, bytes, { ...options, ifAbsent: true })) === 'existed') throw objectExists(key);
    try {
      await lookAround();
    } catch (error) {
      await this.#deps.store.delete(key).catch(() => undefined); // a mark too many does no harm, what went wrong first is worth hearing of
      throw error;
    }
  }

  async #checkThere(place: PointPlace): Promise<void> {
    if (!(await this.#deps.store.stat(pointKey(place.group, place.id)))) throw forgotten(place);
  }

  /**
   * Whoever forgets a point says so, then looks at its marks, then deletes its manifest. So of the two each that comes later sees the other (I42): once nobody
   * says so any more and the manifest is there, everyone who forgets it sees this hold.
   */
  async #outlastForgetting(place: PointPlace, options: CallOptions): Promise<void> {
    for (let waitedMs = 0; ; waitedMs += FORGET_POLL_MS) {
      const leaving = await this.intents.underWay({ group: place.group, pointId: place.id }, options);
      await this.#checkThere(place);
      if (!leaving.has(place.id)) return;
      if (waitedMs >= FORGET_WAIT_MS) throw beingForgotten(place);
      await this.#deps.clock.sleep(FORGET_POLL_MS, options);
    }
  }

  async #resolveMarked(pointId: string, options: CallOptions): Promise<PointPlace> {
    try {
      return await this.#deps.points.resolve(pointId, options);
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_POINT_NOT_FOUND') || !TIME_ID.test(pointId)) throw error;
      for await (const { at } of this.#places(MARKS_PREFIX, pointId, options)) return { group: at.group, id: at.pointId };
      throw error;
    }
  }
}

function prefixOf({ group, pointId }: { readonly group?: string; readonly pointId?: string }): string | undefined {
  if (group === undefined) return MARKS_PREFIX;
  if (!GROUP.test(group) || (pointId !== undefined && !TIME_ID.test(pointId))) return undefined;
  return pointId === undefined ? `${MARKS_PREFIX}${group}/` : marksPrefix(group, pointId);
}

/** The marks of one point while they are read. */
class Collected {
  readonly #at: MarkPlace;
  readonly #holds: Hold[] = [];
  readonly #tags = new Set<string>();
  readonly #damaged: DamagedMark[] = [];
  readonly #forgetting: string[] = [];

  constructor(at: MarkPlace) {
    this.#at = at;
  }

  isOf(at: MarkPlace): boolean {
    return at.group === this.#at.group && at.pointId === this.#at.pointId;
  }

  add(read: ReadMark): void {
    if ('error' in read) this.#damaged.push({ id: read.at.id ?? read.at.name, key: read.key, error: read.error });
    else if ('mark' in read && read.mark.kind === 'tag') this.#tags.add(read.mark.name);
    else if ('mark' in read && read.mark.kind === 'hold') this.#holds.push(holdOf(read.mark));
    else if ('mark' in read) this.#forgetting.push(read.mark.id);
  }

  *marks(): Generator<PointMarks, void> {
    const { group, pointId } = this.#at;
    if (this.#holds.length + this.#tags.size + this.#damaged.length + this.#forgetting.length === 0) return;
    yield { group, pointId, holds: this.#holds, tags: [...this.#tags].sort(), damaged: this.#damaged, forgetting: this.#forgetting };
  }
}

function holdOf({ kind: _kind, ...hold }: Mark & { kind: 'hold' }): Hold {
  return hold;
}

function holdNotFound({ id: pointId }: PointPlace, id: string): never {
  throw new RepositoryError({
    code: 'REPO_HOLD_NOT_FOUND',
    message: `the restore point ${pointId} has no hold ${id}`,
    details: { pointId },
    hint: 'list its holds; it may have been released already',
  });
}

function forgotten({ id: pointId }: PointPlace): RepositoryError {
  return new RepositoryError({
    code: 'REPO_POINT_NOT_FOUND',
    message: `the restore point ${pointId} was forgotten meanwhile`,
    details: { pointId },
    hint: 'list the restore points to see their ids',
  });
}

function beingForgotten({ id: pointId }: PointPlace): RepositoryError {
  return new RepositoryError({
    code: 'REPO_LOCKED',
    message: `somebody is forgetting the restore point ${pointId} at this moment, or died while doing so: it is not held`,
    details: { pointId },
    retryable: true,
    hint: 'try again; a lease that somebody left behind is ended by the next gc, or by "repo unlock"',
  });
}
