import type { CallOptions } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import { packKey, TABLES_PREFIX } from '../format/ids.ts';
import { ChunkIndex } from '../index/chunk-index.ts';
import { newTableId } from '../index/table-id.ts';
import { PackIds } from '../pack/pack-ids.ts';
import { readTrailer } from '../pack/pack-reader.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { DamageLog } from './damage-log.ts';
import { FoundDamage } from './found-damage.ts';
import { Relist } from './relist.ts';
import { type Rescued, rescueChunks } from './rescue-pack.ts';
import { salvageByTrailer, salvageChunks, type WholeChunk } from './salvage.ts';
import { canSetAside, quarantineKey, setAside } from './set-aside.ts';
import { checkTables } from './table-check.ts';
import { chunksLedTo } from './table-entries.ts';
import { type VerifyRecord, verifyRecordKey } from './verify-record.ts';
import { readVerifyRecords, writeVerifyRecord } from './verify-records.ts';

export type RepairDeps = Pick<
  RepositoryParts,
  'store' | 'config' | 'owner' | 'envelopes' | 'codecs' | 'points' | 'damage' | 'leases' | 'clock' | 'randomBytes' | 'logger'
>;

export interface RepairOptions extends CallOptions {
  /** Says what would be done and writes nothing. */
  readonly dryRun?: boolean;
  /** Waits until a silent lease of another gc or repair is stale; without it REPO_LOCKED at once. By default it waits. */
  readonly wait?: boolean;
  readonly onProgress?: (progress: { readonly donePacks: number; readonly totalPacks: number }) => void;
}

export interface RepairReport {
  readonly dryRun: boolean;
  readonly packs: number;
  /** Chunks that no sound table knew and that a new table lists now. */
  readonly listedChunks: number;
  /** Chunks whose known place is damaged or gone and that a new table lists where another copy is whole. */
  readonly relistedChunks: number;
  /** Packs beyond help. What was whole in them and nowhere else lies in a new pack now; they stay where they are, and nobody counts on them. */
  readonly quarantined: readonly { readonly key: string; readonly savedChunks: number }[];
  /** Damaged chunks of sound packs that could be put together again: their header was lost, not their data. */
  readonly mendedChunks: number;
  /** Damaged tables, deleted after the new ones were durable. */
  readonly removedTables: readonly string[];
  /** Damaged manifests, copied to `to` byte by byte and then deleted. */
  readonly setAside: readonly { readonly key: string; readonly to: string }[];
  readonly record?: string;
}

/**
 * Makes everything that can be read reachable again. It only adds, until what it added is durable: new packs, then tables, then damaged tables and manifests go,
 * the record is last. It holds the exclusive lease, beside writers and readers but no gc and no other repair. A crash anywhere leaves what was there and perhaps more; running it again finishes the work. What chunks are damaged it knows from the
 * records of verify: run that first. Memory: as a run's, and 32 MiB for a pack that is searched for chunks.
 */
export async function repairRepository(deps: RepairDeps, options: RepairOptions = {}): Promise<RepairReport> {
  options.signal?.throwIfAborted();
  if (options.dryRun) return repairNow(deps, options);
  const { signal, wait = true } = options;
  await using lease = await deps.leases.exclusive('repair', { ...(signal && { signal }), wait });
  const call = { signal: signal ? AbortSignal.any([signal, lease.signal]) : lease.signal };
  return await repairNow(deps, { ...options, ...call }, () => lease.prove(call));
}

/** `prove` throws when the lease is not held any more: asked right before tables appear and anything goes, in case the process was stopped for long. */
async function repairNow(deps: RepairDeps, options: RepairOptions, prove: () => Promise<void> = () => Promise.resolve()): Promise<RepairReport> {
  const call = options.signal ? { signal: options.signal } : {};
  const startedAt = deps.clock.now();
  const records = await readVerifyRecords(deps, call);
  await deps.damage.reload(call);
  const packs = await PackIds.list(deps.store, call);
  const log = new DamageLog();
  await checkTables(deps.store, deps.owner, packs, log, call);
  const damagedTables = log.keys().filter((key) => key.startsWith(TABLES_PREFIX));
  await using index = new ChunkIndex(deps.store, deps.owner, deps.logger, new Set(damagedTables));
  const repair = new Repair(deps, index, packs, records, options, prove);
  await repair.packs();
  return repair.finish(damagedTables, startedAt);
}

class Repair {
  readonly #deps: RepairDeps;
  readonly #index: ChunkIndex;
  readonly #packs: PackIds;
  readonly #records: readonly VerifyRecord[];
  readonly #options: RepairOptions;
  readonly #call: CallOptions;
  readonly #dryRun: boolean;
  readonly #prove: () => Promise<void>;
  readonly #relist: Relist;
  readonly #broken = new Set<string>();
  readonly #rescued: Rescued[] = [];
  #mendedChunks = 0;

  constructor(deps: RepairDeps, index: ChunkIndex, packs: PackIds, records: readonly VerifyRecord[], options: RepairOptions, prove: () => Promise<void>) {
    this.#prove = prove;
    this.#deps = deps;
    this.#index = index;
    this.#packs = packs;
    this.#records = records;
    this.#options = options;
    this.#call = options.signal ? { signal: options.signal } : {};
    this.#dryRun = options.dryRun ?? false;
    this.#relist = new Relist({ ...deps, index, packs, beyondHelp: this.#broken, dryRun: this.#dryRun, prove });
  }

  /** Sound packs first, so that nothing is saved from a broken one that lies whole elsewhere. */
  async packs(): Promise<void> {
    let donePacks = 0;
    for (const packId of this.#packs) {
      this.#call.signal?.throwIfAborted();
      await this.#sound(packId, true);
      this.#options.onProgress?.({ donePacks: ++donePacks, totalPacks: this.#packs.count });
    }
    await this.#relist.flush(this.#call);
    // Now that it is known which packs are beyond help, a whole copy of what lies there is preferred.
    if (this.#broken.size > 0) for (const packId of this.#packs) if (!this.#broken.has(packId)) await this.#sound(packId, false);
    await this.#relist.flush(this.#call);
    for (const packId of this.#broken) {
      const found = await this.#deps.store.stat(packKey(packId), this.#call);
      if (!found) continue;
      const chunks = salvageChunks(this.#deps, { packId, packBytes: found.sizeBytes }, this.#call);
      this.#rescued.push(await this.#rescue(packId, chunks));
    }
    await this.#relist.flush(this.#call);
  }

  async #sound(packId: string, mends: boolean): Promise<void> {
    const { store, owner } = this.#deps;
    const found = await store.stat(packKey(packId), this.#call);
    if (!found) return;
    const pack = { ...owner, packId, packBytes: found.sizeBytes };
    try {
      const { entries, trailer } = await readTrailer(store, pack, this.#call);
      const damaged = await this.#relist.add(pack, entries, trailer, this.#call);
      // Perhaps only their headers are damaged, which the trailer repeats.
      if (mends && damaged.length > 0) this.#mendedChunks += (await this.#rescue(packId, salvageByTrailer(this.#deps, pack, damaged, this.#call))).savedChunks;
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_PACK_INVALID', 'REPO_OBJECT_TRUNCATED', 'REPO_OBJECT_MISSING')) throw error;
      this.#broken.add(packId);
    }
  }

  async #rescue(packId: string, chunks: AsyncIterable<WholeChunk>): Promise<Rescued> {
    const rescued = await rescueChunks({ ...this.#deps, index: this.#index, dryRun: this.#dryRun }, packId, chunks, this.#call);
    for (const pack of rescued.packs) this.#relist.addWhole(pack);
    return rescued;
  }

  async finish(damagedTables: readonly string[], startedAt: Date): Promise<RepairReport> {
    const lost = chunksLedTo(this.#index, this.#broken, this.#call);
    if (!this.#dryRun) {
      await this.#prove();
      for (const key of damagedTables) await this.#deps.store.delete(key, this.#call);
    }
    const setAside = await this.#setManifestsAside();
    const quarantined = this.#rescued.map(({ packId, savedChunks }) => ({ key: packKey(packId), savedChunks }));
    const report: RepairReport = {
      dryRun: this.#dryRun,
      packs: this.#packs.count,
      listedChunks: this.#relist.listedChunks,
      relistedChunks: this.#relist.relistedChunks,
      quarantined,
      mendedChunks: this.#mendedChunks,
      removedTables: damagedTables,
      setAside,
    };
    if (this.#dryRun) return report;
    return { ...report, record: await this.#writeRecord(report, lost, startedAt) };
  }

  async #setManifestsAside(): Promise<RepairReport['setAside']> {
    const { store, points } = this.#deps;
    const moved: { key: string; to: string }[] = [];
    for await (const listed of points.list({}, this.#call)) {
      // One of a newer version is not damaged. What cannot be copied whole stays.
      if (listed.kind === 'point' || !isRepositoryError(listed.error, 'REPO_MANIFEST_INVALID')) continue;
      const to = this.#dryRun ? (await canSetAside(store, listed.key, this.#call)) && quarantineKey(listed.key) : await setAside(store, listed.key, this.#call);
      if (to) moved.push({ key: listed.key, to });
    }
    return moved;
  }

  async #writeRecord(report: RepairReport, lost: AsyncIterable<{ readonly digest: Uint8Array; readonly packId: string }>, startedAt: Date): Promise<string> {
    const { clock, randomBytes, damage } = this.#deps;
    await this.#index.reload();
    const found = new FoundDamage(damage);
    let healed = 0;
    for (const record of this.#records) healed += await found.carry(record, this.#packs, this.#index);
    for await (const { digest, packId } of lost) found.chunk(digest, packKey(packId));
    const id = newTableId(startedAt, this.#records.at(-1)?.id, randomBytes); // after all that this run knew, whatever the clocks say
    const { damage: objects, complete } = found.toRecord();
    const before = this.#records.at(-1);
    const record: VerifyRecord = {
      id,
      startedAt: startedAt.toISOString(),
      finishedAt: clock.now().toISOString(),
      mode: 'repair',
      sample: null,
      nextSample: before?.nextSample ?? '00000000',
      counts: { points: 0, packs: report.packs, chunks: 0, checkedChunks: 0, readBytes: 0, orphanPacks: 0, damaged: objects.length, healed },
      damage: objects,
      complete,
      soundPoints: [],
      quarantined: report.quarantined.map(({ key }) => key),
    };
    await writeVerifyRecord(this.#deps, record, this.#call);
    return verifyRecordKey(id);
  }
}
