import type { CallOptions } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import { parseTableKey, TABLES_PREFIX } from '../format/ids.ts';
import { TABLE_PAGE_BYTES, type TablePage } from '../format/table-layout.ts';
import { IndexTable } from '../index/table-reader.ts';
import { LruCache } from '../lru-cache.ts';
import { parseMarkKey } from '../marks/mark-keys.ts';
import { PackIds } from '../pack/pack-ids.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { type CompressionSample, sampleCompression } from './compression-sample.ts';

export interface ObjectCount {
  readonly objects: number;
  readonly bytes: number;
}

/** What a repository holds, counted in one go; others may write meanwhile. */
export interface RepositoryStats {
  readonly groups: number;
  readonly points: number;
  /** Manifests that cannot be read; counted nowhere else. */
  readonly unreadablePoints: number;
  /** Points with a hold or a mark that cannot be read, also one that is over. */
  readonly markedPoints: number;
  /** The disks of all points, as if each was stored whole. */
  readonly logicalBytes: number;
  /** What the runs of these points had to store anew: before and after compression. */
  readonly newBytes: number;
  readonly newStoredBytes: number;
  /** What packs say of their chunks, of all packs or of a sample. */
  readonly compression: CompressionSample;
  /** By the first part of the key: `packs`, `index`, `points`, `marks`, …; `onevault.json` under its own name. */
  readonly stored: Readonly<Record<string, ObjectCount>>;
  readonly storedBytes: number;
  /** Packs that no index table names: left by runs that died, or being written right now. Missing when a damaged table makes that unknown. */
  readonly orphanPacks?: ObjectCount;
}

type StatsParts = Pick<RepositoryParts, 'store' | 'owner' | 'points'>;

/** How often tables may be merged by others while they are read. */
const MAX_DISTURBANCES = 8;

/** Lists everything, reads the manifests, the pack pages of the index tables and the trailers of some packs. Memory: 21 bytes a pack, a short id for every point. */
export async function repositoryStats(parts: StatsParts, options: CallOptions = {}): Promise<RepositoryStats> {
  const points = await countPoints(parts, options);
  const stored = new Map<string, { objects: number; bytes: number }>();
  const marked = new Set<string>();
  for await (const { key, sizeBytes } of parts.store.list('', options)) {
    const [kind = ''] = key.split('/');
    const count = stored.get(kind) ?? { objects: 0, bytes: 0 };
    stored.set(kind, { objects: count.objects + 1, bytes: count.bytes + sizeBytes });
    const mark = parseMarkKey(key);
    if (mark && (mark.kind === 'hold' || mark.kind === undefined)) marked.add(mark.pointId);
  }
  const packs = await PackIds.list(parts.store, options);
  const orphanPacks = await countOrphans(parts, packs, options);
  return {
    ...points,
    markedPoints: marked.size,
    compression: await sampleCompression(parts, packs, options),
    stored: Object.fromEntries(stored),
    storedBytes: [...stored.values()].reduce((sum, { bytes }) => sum + bytes, 0),
    ...(orphanPacks ? { orphanPacks } : {}),
  };
}

export async function storedBytes({ store }: Pick<RepositoryParts, 'store'>, options: CallOptions = {}): Promise<number> {
  let bytes = 0;
  for await (const { sizeBytes } of store.list('', options)) bytes += sizeBytes;
  return bytes;
}

type PointCounts = Pick<RepositoryStats, 'groups' | 'points' | 'unreadablePoints' | 'logicalBytes' | 'newBytes' | 'newStoredBytes'>;

async function countPoints(parts: StatsParts, options: CallOptions): Promise<PointCounts> {
  const groups = new Set<string>();
  const counts = { points: 0, unreadablePoints: 0, logicalBytes: 0, newBytes: 0, newStoredBytes: 0 };
  for await (const listed of parts.points.list({}, options)) {
    if (listed.kind === 'damaged') {
      counts.unreadablePoints += 1;
      continue;
    }
    const { group, stats } = listed.point;
    groups.add(group);
    counts.points += 1;
    counts.logicalBytes += stats.sizeBytes;
    counts.newBytes += stats.newBytes;
    counts.newStoredBytes += stats.storedBytes;
  }
  return { groups: groups.size, ...counts };
}

async function countOrphans(parts: StatsParts, packs: PackIds, options: CallOptions): Promise<ObjectCount | undefined> {
  const named = await namedPacks(parts, packs, options);
  if (!named) return undefined;
  let objects = 0;
  let bytes = 0;
  for (let at = 0; at < packs.count; at++) {
    if (named[at]) continue;
    objects += 1;
    bytes += packs.sizeOf(at);
  }
  return { objects, bytes };
}

/** For each pack whether a table names it; undefined when a table is damaged. */
async function namedPacks(parts: StatsParts, packs: PackIds, options: CallOptions): Promise<Uint8Array | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readTables(parts, packs, options);
    } catch (error) {
      if (isRepositoryError(error, 'REPO_INDEX_INVALID', 'REPO_OBJECT_TRUNCATED', 'REPO_UNSUPPORTED_VERSION')) return undefined;
      if (!isRepositoryError(error, 'REPO_OBJECT_MISSING') || attempt >= MAX_DISTURBANCES) throw error; // merged into another: look again
    }
  }
}

async function readTables(parts: StatsParts, packs: PackIds, options: CallOptions): Promise<Uint8Array> {
  const named = new Uint8Array(packs.count);
  const cache = new LruCache<TablePage>(TABLE_PAGE_BYTES, () => TABLE_PAGE_BYTES);
  for await (const { key } of parts.store.list(TABLES_PREFIX, options)) {
    const id = parseTableKey(key);
    if (id === undefined) continue;
    const table = await IndexTable.open(parts.store, cache, parts.owner, id, options);
    for await (const { packId } of table.packs(options)) {
      const at = packs.indexOf(packId);
      if (at >= 0) named[at] = 1;
    }
  }
  return named;
}
