import { type CallOptions, forEachConcurrent } from '@onevault/base';
import type { Drills } from '../drills/drills.ts';
import { isRepositoryError, RepositoryError, type RepositoryErrorCode, withPlace } from '../errors.ts';
import { fromHex } from '../format/bytes.ts';
import { pointKey } from '../format/ids.ts';
import type { Marks } from '../marks/marks.ts';
import { StoredDiskReader } from '../read/disk-reader.ts';
import type { RestorePoint, StoredDisk } from '../repository-api.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { setAside } from '../verify/set-aside.ts';
import type { CopySpec, PointWriter } from '../write/point-writer.ts';
import { carryDrills } from './carry-drills.ts';
import { type CarriedMarks, carryMarks, marksById } from './carry-marks.ts';
import { ChunkTransfer } from './chunk-transfer.ts';
import type { CopyOptions, CopyOutcome, CopyProgress, CopyReport } from './copy-api.ts';
import { diskBase, findBase, firstCommitted, type PointBase } from './copy-base.ts';
import { diskDifference } from './disk-difference.ts';
import { haveSameDigests } from './same-digests.ts';

type CopyParts = Pick<RepositoryParts, 'store' | 'config' | 'codecs' | 'index' | 'chunks' | 'damage' | 'points'>;

export interface CopySource extends CopyParts {
  readonly marks: Marks;
  readonly drills: Drills;
}

export interface CopyTarget {
  readonly parts: CopySource;
  begin(spec: CopySpec, call: CallOptions): Promise<PointWriter>;
}

type PointPlace = Pick<RestorePoint, 'id' | 'group'>;
type MutableReport = { -readonly [K in keyof CopyReport]: CopyReport[K] };

/** Manifests of the target read side by side, to see whether they can be. */
const READS = 8;

/**
 * Copies restore points, oldest first. A point keeps its id, so that one that was copied before is known by it and can never be copied twice; each is
 * committed on its own, and whatever stops a copy, the next one finds the chunks that are stored. Memory: that of a restore and of a backup of one disk,
 * and one id for every point.
 */
export async function* copyPoints(source: CopySource, target: CopyTarget, options: CopyOptions = {}): AsyncGenerator<CopyOutcome, CopyReport> {
  const call = options.signal ? { signal: options.signal } : {};
  checkCompatible(source, target);
  const places = await chosenPlaces(source, options.points, call);
  const held = await findHeld(target.parts, places, call);
  const marks = (options.marks ?? true) ? await marksById(source.marks, new Set(places.map(({ id }) => id)), call) : undefined;
  const copy = new PointCopy(source, target, options);
  const report: MutableReport = { copied: 0, present: 0, failed: 0, readBytes: 0, storedBytes: 0, marks: { holds: 0, tags: 0, unreadable: 0 }, drills: 0 };
  const there = new Map<string, Set<string>>();
  for (const [done, place] of places.entries()) {
    call.signal?.throwIfAborted();
    const progress = { points: done, totalPoints: places.length, pointId: place.id };
    const here = held.get(nameOf(place));
    const outcome = here === 'whole' ? present(place) : await copy.copy(place, here === 'damaged', progress);
    report[outcome.kind] += 1;
    if (outcome.kind === 'copied') report.storedBytes += outcome.point.stats.storedBytes;
    if (outcome.kind !== 'failed') there.set(place.group, (there.get(place.group) ?? new Set()).add(place.id));
    if (outcome.kind !== 'failed') report.marks = sum(report.marks, await carryMarks(target.parts.marks, place, marks?.get(place.id), call));
    yield outcome;
  }
  if (options.drills ?? true) report.drills = await carryDrills({ drills: source.drills, repositoryId: source.config.id }, target.parts.drills, there, call);
  return { ...report, readBytes: copy.readBytes };
}

function sum(one: CarriedMarks, other: CarriedMarks): CarriedMarks {
  return { holds: one.holds + other.holds, tags: one.tags + other.tags, unreadable: one.unreadable + other.unreadable };
}

/** What the target has of these points. A manifest of a newer version is somebody else's to judge. */
async function findHeld(target: CopyParts, places: readonly PointPlace[], call: CallOptions): Promise<ReadonlyMap<string, 'whole' | 'damaged'>> {
  const wanted = new Set(places.map(nameOf));
  const held = new Map<string, 'whole' | 'damaged'>();
  const look = async (place: PointPlace): Promise<void> => {
    try {
      await target.points.read(place, call);
      held.set(nameOf(place), 'whole');
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_MANIFEST_INVALID', 'REPO_UNSUPPORTED_VERSION', 'REPO_OBJECT_MISSING')) throw error;
      if (error.code !== 'REPO_OBJECT_MISSING') held.set(nameOf(place), error.code === 'REPO_MANIFEST_INVALID' ? 'damaged' : 'whole');
    }
  };
  const there = (await target.points.places({}, call)).filter((place) => wanted.has(nameOf(place)));
  await forEachConcurrent(there, look, { ...call, concurrency: READS });
  return held;
}

function checkCompatible(source: CopySource, { parts }: CopyTarget): void {
  if (source.config.id === parts.config.id) throw incompatible(source, 'both are the same repository', 'name another repository as the target');
  const { blockSizeBytes } = source.config;
  if (blockSizeBytes !== parts.config.blockSizeBytes) {
    throw incompatible(
      source,
      `the source has blocks of ${blockSizeBytes} bytes, the target of ${parts.config.blockSizeBytes}`,
      `a copy keeps its blocks: create the target with blocks of ${blockSizeBytes} bytes`,
    );
  }
}

function incompatible(source: CopySource, why: string, hint: string): RepositoryError {
  const message = `restore points of ${source.store.location} cannot be copied: ${why}`;
  return new RepositoryError({ code: 'REPO_COPY_INCOMPATIBLE', message, details: { location: source.store.location }, hint });
}

async function chosenPlaces(source: CopySource, points: Iterable<string> | undefined, call: CallOptions): Promise<PointPlace[]> {
  const places = await source.points.places({}, call);
  if (points === undefined) return places;
  const wanted = new Set(points);
  const chosen = places.filter(({ id }) => wanted.delete(id));
  const [missing] = wanted;
  if (missing !== undefined)
    throw new RepositoryError({ code: 'REPO_POINT_NOT_FOUND', message: `there is no restore point ${missing}`, details: { pointId: missing } });
  return chosen;
}

function nameOf({ group, id }: PointPlace): string {
  return `${group}/${id}`;
}

function present({ group, id }: PointPlace): CopyOutcome {
  return { kind: 'present', pointId: id, group };
}

/** What says that a point of the source is lost, when the error names that point. */
const LOST: ReadonlySet<RepositoryErrorCode> = new Set([
  'REPO_CHUNK_CORRUPT',
  'REPO_CHUNK_MISSING',
  'REPO_PAGE_CORRUPT',
  'REPO_MANIFEST_INVALID',
  'REPO_UNSUPPORTED_VERSION',
  'REPO_OBJECT_MISSING',
]);

/** How often the point that another one is compared with may be forgotten meanwhile before it is copied without. */
const BASE_TRIES = 3;

type PointProgress = Pick<CopyProgress, 'points' | 'totalPoints' | 'pointId'>;

class PointCopy {
  readonly #source: CopySource;
  readonly #target: CopyTarget;
  readonly #full: boolean;
  readonly #call: CallOptions;
  readonly #onProgress: (progress: CopyProgress) => void;
  readonly #sameDigests: boolean;
  #readBytes = 0;
  /** Where the damaged manifest lies in whose place the last copy came. */
  #replaced: string | undefined;

  constructor(source: CopySource, target: CopyTarget, options: CopyOptions) {
    this.#source = source;
    this.#target = target;
    this.#full = options.full ?? false;
    this.#call = options.signal ? { signal: options.signal } : {};
    this.#onProgress = options.onProgress ?? (() => undefined);
    this.#sameDigests = haveSameDigests(source.codecs, target.parts.codecs);
  }

  get readBytes(): number {
    return this.#readBytes;
  }

  /** Damage to the point in the source is its outcome; anything else ends the whole copy. */
  async copy(place: PointPlace, replaces: boolean, progress: PointProgress): Promise<CopyOutcome> {
    this.#replaced = undefined;
    try {
      const point = await this.#copyWithBase(await this.#read(place), replaces, progress);
      return this.#replaced === undefined ? { kind: 'copied', point } : { kind: 'copied', point, replaced: this.#replaced };
    } catch (error) {
      if (isRepositoryError(error, 'REPO_OBJECT_EXISTS') && error.details.key === pointKey(place.group, place.id)) return present(place); // copied meanwhile
      if (!isRepositoryError(error) || error.details.pointId !== place.id || !LOST.has(error.code)) throw error;
      return { kind: 'failed', pointId: place.id, group: place.group, error: await this.#explain(place, error) };
    }
  }

  async #read(place: PointPlace): Promise<RestorePoint> {
    try {
      return await this.#source.points.read(place, this.#call);
    } catch (error) {
      throw withPlace(error, { pointId: place.id });
    }
  }

  /** The copy that a point is compared with may be forgotten in the target at any time: then another one is chosen, and in the end none. */
  async #copyWithBase(point: RestorePoint, replaces: boolean, progress: PointProgress): Promise<RestorePoint> {
    for (let tries = this.#full ? BASE_TRIES : 0; tries < BASE_TRIES; tries++) {
      const base = await findBase(point, this.#source, this.#target.parts, this.#sameDigests, this.#call);
      try {
        return await this.#copy(point, base, replaces, progress);
      } catch (error) {
        const key = base && pointKey(base.parent.group, base.parent.id);
        if (!isRepositoryError(error, 'REPO_POINT_NOT_FOUND') || key === undefined || error.details.key !== key) throw error;
      }
    }
    return this.#copy(point, undefined, replaces, progress);
  }

  async #copy(point: RestorePoint, base: PointBase | undefined, replaces: boolean, progress: PointProgress): Promise<RestorePoint> {
    const { group, runId, capturedAt, mode, parentId, id } = point;
    const spec = { group, runId, capturedAt, mode, id, origin: firstCommitted(point, this.#source) };
    await using writer = await this.#target.begin(parentId === undefined ? spec : { ...spec, parentId }, this.#call);
    let before = 0;
    for (const disk of point.disks) {
      await this.#copyDisk(point, disk, base, writer, (doneBytes) =>
        this.#onProgress({ ...progress, doneBytes: before + doneBytes, totalBytes: point.stats.sizeBytes }),
      );
      before += disk.sizeBytes;
    }
    for (const { name, sizeBytes, digest } of point.metadata) await this.#copyMetadata(point.id, { name, sizeBytes, digest }, writer);
    // Not before everything else of the copy is there.
    if (replaces) this.#replaced = await setAside(this.#target.parts.store, pointKey(group, id), this.#call);
    return await writer.commit({ annotations: point.annotations }, this.#call);
  }

  async #copyDisk(
    point: RestorePoint,
    disk: StoredDisk,
    base: PointBase | undefined,
    writer: PointWriter,
    onBytes: (doneBytes: number) => void,
  ): Promise<void> {
    const { parts } = this.#target;
    const earlier = diskBase(base, disk.key, this.#source, parts);
    const reader = new StoredDiskReader(point, disk, { ...this.#source, repositoryId: this.#source.config.id });
    const confirmDedup = earlier === undefined;
    const transfer = new ChunkTransfer(this.#source, {
      codecs: parts.codecs,
      sameDigests: this.#sameDigests,
      samePayloads: this.#sameDigests && !this.#source.config.encryption && !parts.config.encryption,
      holds: (digest, call) => writer.holds(digest, confirmDedup, call),
    });
    const differences = diskDifference(reader, earlier, (digest) => parts.index.isSuspect(digest) || parts.damage.mayHave(digest), this.#call);
    const { key, sizeBytes, annotations } = disk;
    await writer.writeDisk(
      { key, sizeBytes, annotations, confirmDedup, ...(earlier && { parent: earlier.parent }) },
      transfer.runs(reader, differences, this.#call),
      {
        ...this.#call,
        onProgress: ({ changedBlocks, unchangedBlocks, zeroBlocks }) =>
          onBytes(Math.min(sizeBytes, (changedBlocks + unchangedBlocks + zeroBlocks) * disk.blockSizeBytes)),
      },
    );
    this.#readBytes += transfer.readBytes;
  }

  async #copyMetadata(pointId: string, { name, sizeBytes, digest }: RestorePoint['metadata'][number], writer: PointWriter): Promise<void> {
    let data: Uint8Array = new Uint8Array(0);
    try {
      if (sizeBytes > 0) data = await this.#source.chunks.load({ digest: fromHex(digest), plainBytes: sizeBytes }, this.#call);
    } catch (error) {
      throw withPlace(error, { pointId, metadata: name });
    }
    await writer.writeMetadata(name, data, this.#call);
  }

  /** A point that was forgotten while it was copied is gone, not damaged. */
  async #explain({ group, id }: PointPlace, error: RepositoryError): Promise<RepositoryError> {
    const still = (await this.#source.points.places({ group }, this.#call)).some((place) => place.id === id);
    if (still) return error;
    const message = `the restore point ${id} was forgotten in the source while it was copied`;
    return new RepositoryError({ code: 'REPO_POINT_NOT_FOUND', message, details: { pointId: id }, cause: error });
  }
}
