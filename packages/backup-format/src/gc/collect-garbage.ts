import { type CallOptions, serializeError } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import { mergeTables } from '../index/merge-tables.ts';
import { preferSound } from '../index/prefer-sound.ts';
import type { HeldLease } from '../lease/held-lease.ts';
import { leaseInfo } from '../lease/lease-info.ts';
import { deleteLease, type ObservedLease } from '../lease/lease-watch.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { type Decisions, decide, isAtWork, isGraceOver } from './decide.ts';
import { deletePacks, NO_LOCKED } from './delete-packs.ts';
import type { GcOptions, GcProgress, GcReport, KeptReason, LockedPacks, PackSum } from './gc-api.ts';
import { type CondemnedGroup, deleteOlderRecords, type GcRecord, newestRecordNumber, readGcRecord, writeGcRecord } from './gc-record.ts';
import { PackTable } from './pack-table.ts';
import { NeededOffsets, PackUse } from './pack-use.ts';
import { type Repacked, repack } from './repack.ts';
import { sweepLeftovers } from './sweep-leftovers.ts';
import { MAX_DIGESTS, type Stock, StockTaking } from './take-stock.ts';

const DEFAULT_GRACE_MS = 24 * 3600_000;
const DEFAULT_REPACK_BELOW = 0.5;

export type GcParts = Pick<
  RepositoryParts,
  'store' | 'config' | 'owner' | 'envelopes' | 'codecs' | 'index' | 'chunks' | 'points' | 'leases' | 'clock' | 'randomBytes' | 'logger'
>;

/**
 * Gives back the space that no restore point needs: docs/concurrency.md says why that is safe beside running writers. A pack that nothing needs is first
 * condemned, in a record that every writer reads when it begins; a later run deletes it, when it is still not needed, no writer is left that began before
 * that record, and the grace is over. Killed anywhere it leaves nothing that the next run does not take up. Throws REPO_LOCKED while another one is at work,
 * REPO_LOCK_LOST, and whatever keeps it from knowing what is needed; then nothing that could matter was deleted.
 */
export async function collectGarbage(parts: GcParts, options: GcOptions = {}): Promise<GcReport> {
  if (options.dryRun) return new Collection(parts, options, undefined).run();
  const { wait = true, signal } = options;
  const lease = await parts.leases.exclusive('garbage collection', { ...(signal && { signal }), wait });
  try {
    return await new Collection(parts, options, lease).run();
  } finally {
    await lease.release();
  }
}

class Collection {
  readonly #parts: GcParts;
  readonly #options: GcOptions;
  readonly #lease: HeldLease | undefined;
  readonly #call: CallOptions;
  readonly #kept: KeptReason[] = [];
  #tablesClean = false;

  /** Without a lease it only says what it would do. */
  constructor(parts: GcParts, options: GcOptions, lease: HeldLease | undefined) {
    this.#parts = parts;
    this.#options = options;
    this.#lease = lease;
    const signals = [options.signal, lease?.signal].filter((signal) => signal !== undefined);
    this.#call = signals.length > 0 ? { signal: AbortSignal.any(signals) } : {};
  }

  async run(): Promise<GcReport> {
    const { store } = this.#parts;
    const record = await this.#readRecord();
    const packs = await PackTable.list(store, this.#call);
    for (const packId of record.condemned.flatMap((group) => group.packs)) {
      const pack = packs.indexOf(packId);
      if (pack >= 0) packs.condemn(pack);
    }
    const leasesBefore = await this.#settleLeases(record);
    const stockTaking = new StockTaking(this.#parts, packs, MAX_DIGESTS, (progress) => this.#progress(progress), this.#call);
    const stock = await stockTaking.run(new PackUse(packs));
    const { repackBelow = DEFAULT_REPACK_BELOW } = this.#options;
    const graceMs = this.#graceMs;
    const decisions = decide({ packs, record, leasesBefore, leasesAfter: stock.leases, graceMs, repackBelow, clock: this.#parts.clock });
    const deletable = this.#isSafe(stock.leases) ? decisions.deletable : [];
    const outcome = await this.#act(packs, record, { ...decisions, deletable }, stockTaking);
    if (!this.#lease) return this.#report(packs, stock, decisions, outcome);
    await this.#removeEnded(leasesBefore);
    const { removed, removedBytes } = await sweepLeftovers(this.#parts, this.#call);
    return { ...(await this.#report(packs, stock, decisions, outcome)), leftovers: { files: removed, bytes: removedBytes } };
  }

  get #graceMs(): number {
    return this.#options.graceMs ?? DEFAULT_GRACE_MS;
  }

  #progress(progress: GcProgress): void {
    this.#options.onProgress?.(progress);
  }

  /** With a damaged record everything begins anew: what it condemned is condemned again, by a record that those who begin from then on read. */
  async #readRecord(): Promise<GcRecord> {
    try {
      return await readGcRecord(this.#parts, this.#call);
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_GC_RECORD_INVALID', 'REPO_OBJECT_TRUNCATED', 'REPO_TOO_LARGE')) throw error;
      this.#parts.logger.warn({ error: serializeError(error) }, 'the record of the last garbage collection is damaged; it begins anew');
      return { number: await newestRecordNumber(this.#parts.store, this.#call), condemned: [], damaged: true };
    }
  }

  /** Ends stale leases, and waits for those that keep condemned packs and show no life until they do, or are stale. */
  async #settleLeases(record: GcRecord): Promise<readonly ObservedLease[]> {
    const { leases } = this.#parts;
    if (!this.#lease) return leases.watch.observe(this.#call);
    const own = this.#lease.id;
    const overdue = record.condemned.filter((group) => isGraceOver(group, this.#graceMs, this.#parts.clock));
    const newest = Math.max(0, ...overdue.map((group) => group.record));
    const there = await leases.settle((lease) => lease.id !== own, false, this.#call);
    const forgotten = await this.#readersOfForgotten(there);
    const keeps = (lease: ObservedLease): boolean =>
      lease.id !== own && ((isAtWork(lease) && (lease.record?.epoch ?? 0) < newest) || forgotten.some(({ id }) => id === lease.id));
    return leases.settle(keeps, this.#options.wait ?? true, this.#call);
  }

  /** Readers that alone keep what they read: nobody else would wait for one that is dead, and it would keep that for ever. */
  async #readersOfForgotten(leases: readonly ObservedLease[]): Promise<readonly ObservedLease[]> {
    const found: ObservedLease[] = [];
    for (const lease of leases) {
      const key = lease.record?.kind === 'reader' ? lease.record.point : undefined;
      if (key !== undefined && !(await this.#parts.store.stat(key, this.#call))) found.push(lease);
    }
    return found;
  }

  /** A lease that cannot be read may say anything. */
  #isSafe(leases: readonly ObservedLease[]): boolean {
    if (leases.some(({ record }) => record === undefined)) this.#kept.push('unreadable-lease');
    return this.#kept.length === 0;
  }

  async #act(packs: PackTable, record: GcRecord, decisions: Decisions, stockTaking: StockTaking): Promise<Outcome> {
    const { deletable, sparse, dead } = decisions;
    if (!this.#lease)
      return { deleted: deletable, locked: NO_LOCKED, repacked: { packs: sparse, rewritten: estimate(packs, sparse) }, newlyCondemned: [...dead, ...sparse] };
    const lease = this.#lease;
    const doomed = await this.#leaveOutOfTables(lease, packs, deletable, record);
    for (const pack of doomed) packs.doom(pack);
    const offsets = new NeededOffsets(new Set(sparse));
    if (doomed.length > 0 || sparse.length > 0) await stockTaking.run(offsets);
    const { deleted, locked } = await deletePacks(this.#parts.store, lease, { packs, doomed }, this.#counter('delete', doomed.length), this.#call);
    const repacked: Repacked =
      sparse.length > 0
        ? await repack(this.#parts, lease, { packs: sparse, table: packs, offsets }, this.#counter('repack', sparse.length), this.#call)
        : { packs: [], rewritten: NONE };
    const newlyCondemned = [...dead, ...repacked.packs];
    await this.#writeRecord(lease, packs, record, decisions.condemned, newlyCondemned);
    return { deleted, locked, repacked, newlyCondemned };
  }

  /** The packs that no index table names any more; none when a table that may name one cannot be rewritten. Other tables are merged on the way. */
  async #leaveOutOfTables(lease: HeldLease, packs: PackTable, deletable: readonly number[], record: GcRecord): Promise<readonly number[]> {
    const doomed = new Set(deletable.map((pack) => packs.id(pack)));
    // Packs that an earlier run deleted, and what else is gone without being missed: a table that names them was written late.
    for (const packId of record.condemned.flatMap((group) => group.packs)) if (packs.indexOf(packId) < 0) doomed.add(packId);
    for (const packId of packs.gone) doomed.add(packId);
    await lease.prove(this.#call);
    const condemned = { has: (packId: string) => packs.indexOf(packId) >= 0 && packs.isCondemned(packs.indexOf(packId)) };
    const merged = await mergeTables(this.#parts, { ...this.#call, dropPack: (packId) => doomed.has(packId), preferPlace: preferSound(condemned) });
    this.#tablesClean = merged.complete;
    if (merged.complete || deletable.length === 0) return deletable;
    this.#kept.push(merged.lockedTables > 0 ? 'locked-tables' : 'damaged-tables');
    return [];
  }

  #counter(phase: 'delete' | 'repack', total: number): () => void {
    let done = 0;
    return () => this.#progress({ phase, done: ++done, total });
  }

  /** Nothing is written when nothing has changed. A pack that is gone stays condemned until a later run finds it in no listing and no table. */
  async #writeRecord(lease: HeldLease, packs: PackTable, record: GcRecord, condemned: readonly CondemnedGroup[], newly: readonly number[]): Promise<void> {
    const { store, clock } = this.#parts;
    const number = record.number + 1;
    const groups = condemned
      .map((group) => ({ ...group, packs: group.packs.filter((packId) => !this.#tablesClean || packs.indexOf(packId) >= 0) }))
      .filter((group) => group.packs.length > 0);
    if (newly.length > 0) groups.push({ record: number, at: clock.now().toISOString(), packs: newly.map((pack) => packs.id(pack)) });
    if (!record.damaged && JSON.stringify(groups) === JSON.stringify(record.condemned)) return;
    await lease.prove(this.#call);
    await writeGcRecord(this.#parts, { number, condemned: groups }, this.#call);
    await deleteOlderRecords(store, number, this.#call);
  }

  /** Those that ended before anything was marked: what they committed was marked. */
  async #removeEnded(leases: readonly ObservedLease[]): Promise<void> {
    for (const { id, record } of leases) if (record?.ended) await deleteLease(this.#parts.store, id, this.#call);
  }

  async #report(packs: PackTable, stock: Stock, decisions: Decisions, { deleted, locked, repacked, newlyCondemned }: Outcome): Promise<GcReport> {
    const readers = await this.#readersOfForgotten(stock.leases);
    const sum = (places: readonly number[]): PackSum => ({ packs: places.length, bytes: places.reduce((bytes, pack) => bytes + packs.sizeOf(pack), 0) });
    const before = { packs: packs.count, bytes: packs.totalBytes };
    const gone = sum(deleted);
    const { rewritten } = repacked;
    const goneSet = new Set(deleted);
    const old = decisions.condemned.flatMap((group) => group.packs.map((packId) => packs.indexOf(packId))).filter((pack) => pack >= 0 && !goneSet.has(pack));
    return {
      dryRun: this.#lease === undefined,
      points: stock.points,
      chunks: stock.chunks,
      before,
      after: { packs: before.packs - gone.packs + rewritten.packs, bytes: before.bytes - gone.bytes + rewritten.bytes },
      deleted: gone,
      locked,
      condemned: sum(newlyCondemned),
      repacked: sum(repacked.packs),
      rewritten,
      rescued: decisions.rescued,
      waiting: sum([...old, ...newlyCondemned]),
      waitingFor: [...new Set([...decisions.blockers, ...readers])].map(leaseInfo),
      leftovers: { files: 0, bytes: 0 },
      kept: this.#kept,
    };
  }
}

interface Outcome {
  readonly deleted: readonly number[];
  readonly locked: LockedPacks;
  readonly repacked: Repacked;
  readonly newlyCondemned: readonly number[];
}

const NONE: PackSum = { packs: 0, bytes: 0 };

function estimate(packs: PackTable, sparse: readonly number[]): PackSum {
  return { packs: sparse.length > 0 ? 1 : 0, bytes: Math.round(sparse.reduce((sum, pack) => sum + packs.usedShare(pack) * packs.sizeOf(pack), 0)) };
}
