import { blockGrid, type CallOptions, DIGEST_BYTES, forEachConcurrent } from '@onevault/base';
import { isRepositoryError, RepositoryError } from '../errors.ts';
import { asBuffer, fromHex, isZero, ZERO_HEX } from '../format/bytes.ts';
import { pageCount } from '../format/disk-index-layout.ts';
import { pointKey } from '../format/ids.ts';
import type { ObservedLease } from '../lease/lease-watch.ts';
import type { PointPlace } from '../points.ts';
import { DiskIndexReader } from '../read/disk-index-reader.ts';
import type { StoredDisk } from '../repository-api.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { type DigestRange, DigestSet, rangeBounds } from './digest-set.ts';

export type MarkParts = Pick<RepositoryParts, 'store' | 'config' | 'points' | 'chunks' | 'leases'>;

/** Pages read side by side. */
const PAGES_AT_ONCE = 4;
/** Pages remembered as walked: 32 MiB. Beyond that a page that several points share is walked again: slower, not wrong. */
const MAX_WALKED = 700_000;

export interface Marked {
  readonly points: number;
  /** The leases there were when everything was marked: a run that began meanwhile, also one that ended, is among them. */
  readonly leases: readonly ObservedLease[];
}

/**
 * Notes every chunk in `range` that a restore point needs, and what the runs under way copy from. In this order: leases, restore points, restore points
 * that came meanwhile, leases again. A run that takes a disk index over from a point shows it in its lease before it looks whether the point is there
 * still, and while this goes on no lease disappears: so of a point that goes and the run that takes over from it, at least one is seen.
 * Throws when something cannot be read or listed: what it refers to is not known then.
 */
export async function markAll(parts: MarkParts, chunks: DigestSet, range: DigestRange, onPoint: () => void, call: CallOptions): Promise<Marked> {
  const marker = new Marker(parts, chunks, range);
  for (const lease of await parts.leases.watch.observe(call)) await marker.roots(lease, call);
  const walked = new Set<string>();
  let points = 0;
  let places = await parts.points.places({}, call);
  for (let round = 0; ; round++) {
    for (const place of places) {
      const key = pointKey(place.group, place.id);
      if (walked.has(key)) continue;
      walked.add(key);
      if (await marker.point(place, call)) points += 1;
      onPoint();
    }
    if (round === 1) break;
    const again = await parts.points.places({}, call);
    await checkListing(parts, places, again, call);
    places = again;
  }
  const leases = await parts.leases.watch.observe(call);
  for (const lease of leases) await marker.roots(lease, call);
  return { points, leases };
}

/** What a second listing does not show must be gone. */
async function checkListing(parts: MarkParts, before: readonly PointPlace[], after: readonly PointPlace[], call: CallOptions): Promise<void> {
  const there = new Set(after.map(({ group, id }) => pointKey(group, id)));
  for (const { group, id } of before) {
    const key = pointKey(group, id);
    if (there.has(key) || !(await parts.store.stat(key, call))) continue;
    throw new RepositoryError({
      code: 'REPO_LISTING_INCOMPLETE',
      message: `a listing of the restore points leaves out ${key}, which is there`,
      details: { key },
      hint: 'nothing was changed; the store cannot be trusted to list what it holds: check the mount or the bucket',
    });
  }
}

class Marker {
  readonly #parts: MarkParts;
  readonly #chunks: DigestSet;
  readonly #low: number;
  readonly #high: number;
  /** By the whole digest: a page taken for another one would lose data. */
  readonly #walked = new DigestSet(32);

  constructor(parts: MarkParts, chunks: DigestSet, range: DigestRange) {
    const { low, high } = rangeBounds(range);
    this.#parts = parts;
    this.#chunks = chunks;
    this.#low = low;
    this.#high = high;
  }

  async roots({ record }: ObservedLease, call: CallOptions): Promise<void> {
    for (const root of record?.roots ?? []) await this.#disk(root, { key: `leases/${record?.id}` }, call);
  }

  /** False when the point was forgotten meanwhile. */
  async point(place: PointPlace, call: CallOptions): Promise<boolean> {
    const key = pointKey(place.group, place.id);
    try {
      const point = await this.#parts.points.read(place, call);
      for (const disk of point.disks) await this.#disk(disk, { key, diskKey: disk.key }, call);
      for (const { digest } of point.metadata) if (digest !== ZERO_HEX) this.#mark(fromHex(digest));
      return true;
    } catch (error) {
      if (isRepositoryError(error, 'REPO_OBJECT_MISSING')) return false;
      // Damage and a newer version alike: whatever it refers to would look as if nothing needed it.
      if (isRepositoryError(error) && error.details.key === key) throw unknown(error, key);
      throw error;
    }
  }

  async #disk(disk: Pick<StoredDisk, 'root' | 'sizeBytes'>, place: { readonly key: string; readonly diskKey?: string }, call: CallOptions): Promise<void> {
    if (disk.root === ZERO_HEX) return;
    const { blockSizeBytes } = this.#parts.config;
    const grid = blockGrid(disk.sizeBytes, blockSizeBytes);
    const stored = { key: place.diskKey ?? place.key, sizeBytes: disk.sizeBytes, blockSizeBytes, root: disk.root, annotations: {}, stats: NO_STATS };
    const reader = new DiskIndexReader(grid, stored, this.#parts.chunks);
    const walk = async (page: number): Promise<void> => {
      const digest = await reader.pageDigest(page, call);
      if (isZero(digest) || !this.#isNew(digest)) return;
      this.#mark(digest);
      const digests = await reader.page(page, call);
      for (let at = 0; at < digests.length; at += DIGEST_BYTES) this.#markAt(digests, at);
    };
    try {
      if (!this.#isNew(fromHex(disk.root))) return;
      this.#mark(fromHex(disk.root));
      await reader.root(call);
      await forEachConcurrent(numbers(pageCount(grid)), walk, { ...call, concurrency: PAGES_AT_ONCE });
    } catch (error) {
      if (isRepositoryError(error)) throw unknown(error, place.key);
      throw error;
    }
  }

  #isNew(digest: Uint8Array): boolean {
    if (this.#walked.size < MAX_WALKED) return this.#walked.add(digest);
    return this.#walked.slot(asBuffer(digest), 0) < 0;
  }

  #mark(digest: Uint8Array): void {
    this.#markAt(asBuffer(digest), 0);
  }

  #markAt(digests: Buffer, at: number): void {
    const first = digests.readUInt32BE(at);
    if (first < this.#low || first >= this.#high) return;
    const digest = digests.subarray(at, at + DIGEST_BYTES);
    if (first !== 0 || !isZero(digest)) this.#chunks.add(digest);
  }
}

const NO_STATS = { changedBlocks: 0, unchangedBlocks: 0, zeroBlocks: 0, newChunks: 0, newBytes: 0, storedBytes: 0, dedupBlocks: 0 };

function* numbers(count: number): Generator<number, void> {
  for (let n = 0; n < count; n++) yield n;
}

function unknown(error: RepositoryError, key: string): RepositoryError {
  return new RepositoryError({
    code: error.code,
    message: `what ${key} needs is not known, so no garbage is collected: ${error.message}`,
    details: { ...error.details, key: error.details.key ?? key },
    retryable: error.retryable,
    hint: 'nothing was changed; run verify, repair what can be repaired, and forget the restore points that are lost',
    cause: error,
  });
}
