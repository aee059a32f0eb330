import { type BlockGrid, type CallOptions, DIGEST_BYTES } from '@onevault/base';
import { asBuffer, isZero } from '../format/bytes.ts';
import { pageCount, pageDigests } from '../format/disk-index-layout.ts';
import { PAGE_DIGESTS } from '../format/limits.ts';
import { isDamage } from '../read/chunk-reader.ts';
import type { StoredDiskReader } from '../read/disk-reader.ts';

/** Two views of one earlier disk: `compare` has the source's digests, `parent` is the same disk in the target. One reader where both repositories have the same digest. */
export interface DiskBase {
  readonly compare: StoredDiskReader;
  readonly parent: StoredDiskReader;
}

export type Difference =
  | { readonly kind: 'unchanged' | 'zero'; readonly index: number; readonly count: number }
  | { readonly kind: 'block'; readonly index: number; readonly digest: Uint8Array };

/**
 * What of a disk the target does not have by its earlier copy, in disk order and covering the disk once. Pages that are equal in source and base are not
 * read there; the target's page is, so that one that is damaged is written again instead of taken over. Memory: a few pages, whatever the disk.
 */
export async function* diskDifference(
  disk: StoredDiskReader,
  base: DiskBase | undefined,
  isSuspect: (digest: Uint8Array) => boolean,
  call: CallOptions,
): AsyncGenerator<Difference, void> {
  for (let page = 0; page < pageCount(disk.grid); page++) {
    const index = page * PAGE_DIGESTS;
    const count = pageDigests(disk.grid, page);
    try {
      const digest = await disk.index.pageDigest(page, call);
      if (isZero(digest)) yield { kind: 'zero', index, count };
      else if (base && (await isSamePage(disk, base, page, digest, isSuspect, call))) yield { kind: 'unchanged', index, count };
      else yield* pageDifference(disk, base, index, count, isSuspect, call);
    } catch (error) {
      throw isDamage(error) && error.details.diskKey === undefined ? disk.rangeError(index, count, error) : error;
    }
  }
}

async function isSamePage(
  disk: StoredDiskReader,
  base: DiskBase,
  page: number,
  digest: Uint8Array,
  isSuspect: (digest: Uint8Array) => boolean,
  call: CallOptions,
): Promise<boolean> {
  if (pageEnd(disk.grid, page) !== pageEnd(base.parent.grid, page) || page >= pageCount(base.compare.grid)) return false;
  if (!asBuffer(digest).equals(await basePageDigest(base, page, call))) return false;
  const held = await base.parent.digests(page * PAGE_DIGESTS, pageDigests(disk.grid, page), call);
  return held !== undefined && !digestsOf(held).some(isSuspect);
}

/** Of a base whose root is damaged nothing is known: the zero digest, which no stored page has. */
async function basePageDigest(base: DiskBase, page: number, call: CallOptions): Promise<Uint8Array> {
  try {
    return await base.compare.index.pageDigest(page, call);
  } catch (error) {
    if (isDamage(error)) return new Uint8Array(DIGEST_BYTES);
    throw error;
  }
}

/** Where a page ends on the disk, in bytes: equal for two disks if and only if the blocks of the page have the same lengths in both. */
function pageEnd(grid: BlockGrid, page: number): number {
  return Math.min(grid.sizeBytes, (page + 1) * PAGE_DIGESTS * grid.blockSizeBytes);
}

async function* pageDifference(
  disk: StoredDiskReader,
  base: DiskBase | undefined,
  first: number,
  count: number,
  isSuspect: (digest: Uint8Array) => boolean,
  call: CallOptions,
): AsyncGenerator<Difference, void> {
  const digests = digestsOf(await disk.index.digests(first, count, call));
  const known = base ? await knownBlocks(disk.grid, base, first, count, call) : [];
  yield* merged(digests.map((digest, at) => blockDifference(first + at, digest, known[at], isSuspect)));
}

interface KnownBlock {
  readonly compare: Uint8Array;
  readonly held: Uint8Array;
}

function blockDifference(index: number, digest: Uint8Array, known: KnownBlock | undefined, isSuspect: (digest: Uint8Array) => boolean): Difference {
  if (isZero(digest)) return { kind: 'zero', index, count: 1 };
  const same = known !== undefined && asBuffer(digest).equals(known.compare) && !isZero(known.held) && !isSuspect(known.held);
  return same ? { kind: 'unchanged', index, count: 1 } : { kind: 'block', index, digest };
}

/** Neighbours of one kind become one run. */
function* merged(differences: readonly Difference[]): Generator<Difference, void> {
  let run: Exclude<Difference, { kind: 'block' }> | undefined;
  for (const next of differences) {
    if (run && next.kind === run.kind) {
      run = { ...run, count: run.count + next.count };
      continue;
    }
    if (run) yield run;
    run = next.kind === 'block' ? undefined : next;
    if (next.kind === 'block') yield next;
  }
  if (run) yield run;
}

/** The base's digests of blocks that have the same length in both disks; none where they cannot be read. */
async function knownBlocks(grid: BlockGrid, base: DiskBase, first: number, count: number, call: CallOptions): Promise<KnownBlock[]> {
  const whole = Math.floor(Math.min(grid.sizeBytes, base.parent.grid.sizeBytes) / grid.blockSizeBytes);
  const comparable = grid.sizeBytes === base.parent.grid.sizeBytes ? grid.blockCount : whole;
  const wanted = Math.min(count, comparable - first);
  if (wanted <= 0) return [];
  const compare = await base.compare.digests(first, wanted, call);
  const held = base.parent === base.compare ? compare : await base.parent.digests(first, wanted, call);
  if (!compare || !held) return [];
  const heldDigests = digestsOf(held);
  return digestsOf(compare).map((digest, at) => ({ compare: digest, held: heldDigests[at] ?? digest }));
}

function digestsOf(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length / DIGEST_BYTES }, (_, at) => bytes.subarray(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES));
}
