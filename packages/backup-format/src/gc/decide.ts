import type { Clock } from '@onevault/base';
import type { ObservedLease } from '../lease/lease-watch.ts';
import { leaseOwner, packOwner } from '../lease/pack-owner.ts';
import type { PackSum } from './gc-api.ts';
import { type CondemnedGroup, type GcRecord, MAX_CONDEMNED } from './gc-record.ts';
import type { PackTable } from './pack-table.ts';

/** Clocks of two machines may be this far apart: it is added to the grace, which for the rest is counted by wall clocks. */
const CLOCK_MARGIN_MS = 15 * 60_000;
/** A group that claims to be from the future was condemned by a clock that was wrong: its grace begins anew. */
const FUTURE_MS = 24 * 3600_000;

export interface Decisions {
  /** Packs to delete, as places in the pack table. */
  readonly deletable: readonly number[];
  /** Not needed by anything, and not condemned so far. */
  readonly dead: readonly number[];
  /** Needed in so small a part that they are to be rewritten, the sparsest first. */
  readonly sparse: readonly number[];
  /** What of the old record stays condemned, the deletable packs included: they are condemned until they are gone. */
  readonly condemned: readonly CondemnedGroup[];
  readonly rescued: PackSum;
  /** Leases that keep packs whose grace is over. */
  readonly blockers: readonly ObservedLease[];
}

export interface DecisionFacts {
  readonly packs: PackTable;
  readonly record: GcRecord;
  /** As they were before anything was marked. */
  readonly leasesBefore: readonly ObservedLease[];
  /** As they were when everything was marked. */
  readonly leasesAfter: readonly ObservedLease[];
  readonly graceMs: number;
  readonly repackBelow: number;
  readonly clock: Clock;
}

/** Whether a lease counts when something is to be deleted: its holder may look chunks up. */
export function isAtWork({ record }: ObservedLease): boolean {
  return record === undefined || (record.kind === 'writer' && !record.ended);
}

/** What is to become of each pack. Changes nothing. */
export function decide(facts: DecisionFacts): Decisions {
  const { record, clock } = facts;
  const verdicts = record.condemned.map((group) => judge(group, facts));
  const condemned = verdicts
    .filter(({ kept }) => kept.length > 0)
    .map(({ group, kept }) => ({ ...group, at: isFromFuture(group, clock) ? clock.now().toISOString() : group.at, packs: kept }));
  const blockers = new Set(verdicts.flatMap(({ blocking }) => blocking));
  return { deletable: verdicts.flatMap((verdict) => verdict.deletable), condemned, rescued: rescued(facts), blockers: [...blockers], ...choose(facts) };
}

interface Verdict {
  readonly group: CondemnedGroup;
  readonly kept: readonly string[];
  readonly deletable: readonly number[];
  readonly blocking: readonly ObservedLease[];
}

function judge(group: CondemnedGroup, { packs, leasesBefore, graceMs, clock }: DecisionFacts): Verdict {
  const kept = group.packs.filter((packId) => !isNeeded(packs, packId));
  const there = kept.map((packId) => packs.indexOf(packId)).filter((pack) => pack >= 0);
  if (there.length === 0 || !isGraceOver(group, graceMs, clock)) return { group, kept, deletable: [], blocking: [] };
  const blocking = leasesBefore.filter((lease) => isAtWork(lease) && (lease.record?.epoch ?? 0) < group.record);
  return { group, kept, deletable: blocking.length === 0 ? there : [], blocking };
}

function rescued({ packs, record }: DecisionFacts): PackSum {
  const again = record.condemned.flatMap((group) => group.packs.filter((packId) => isNeeded(packs, packId)));
  return { packs: again.length, bytes: again.reduce((sum, packId) => sum + packs.sizeOf(packs.indexOf(packId)), 0) };
}

function isNeeded(packs: PackTable, packId: string): boolean {
  const pack = packs.indexOf(packId);
  return pack >= 0 && packs.usedChunks(pack) > 0;
}

/** Wall clocks are compared for the grace alone, which nothing but patience depends on: leases and marks make a deletion safe. */
export function isGraceOver(group: CondemnedGroup, graceMs: number, clock: Clock): boolean {
  if (graceMs <= 0) return true;
  return clock.now().getTime() - Date.parse(group.at) >= graceMs + CLOCK_MARGIN_MS;
}

function isFromFuture(group: CondemnedGroup, clock: Clock): boolean {
  return Date.parse(group.at) - clock.now().getTime() > FUTURE_MS;
}

/** Packs of runs that are alive are left alone: what they hold is not referred to yet, and will be. */
function choose({ packs, record, leasesBefore, leasesAfter, repackBelow }: DecisionFacts): Pick<Decisions, 'dead' | 'sparse'> {
  const alive = new Set([...leasesBefore, ...leasesAfter].map(({ id }) => leaseOwner(id)));
  const room = MAX_CONDEMNED - record.condemned.reduce((sum, group) => sum + group.packs.length, 0);
  const dead: number[] = [];
  const sparse: { readonly pack: number; readonly share: number }[] = [];
  for (let pack = 0; pack < packs.count; pack++) {
    const used = packs.usedChunks(pack) > 0;
    if ((!used && packs.isCondemned(pack)) || alive.has(packOwner(packs.id(pack)))) continue;
    const share = packs.usedShare(pack);
    if (!used) dead.push(pack);
    else if (share < repackBelow) sparse.push({ pack, share });
  }
  sparse.sort((a, b) => a.share - b.share);
  dead.splice(Math.max(0, room));
  return { dead, sparse: sparse.slice(0, Math.max(0, room - dead.length)).map(({ pack }) => pack) };
}
