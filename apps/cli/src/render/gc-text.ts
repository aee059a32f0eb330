import type { GcReport, KeptReason, LeaseInfo, PackSum } from '@onevault/backup-format';
import { leaseText } from '../commands/repo/lease-text.ts';
import { compactBytes, compactDuration, count, formatBytes, formatTime } from './units.ts';

/** What a garbage collection did, for people; its last line is the one that a cron job keeps. */
export function gcLines(report: GcReport, durationMs: number): string[] {
  const { before, after, deleted, condemned, repacked, waiting } = report;
  const result = `result=${report.dryRun ? 'dry-run' : 'ok'} packs=${before.packs}->${after.packs} stored=${compactBytes(before.bytes)}->${compactBytes(after.bytes)}`;
  const moved = `freed=${compactBytes(deleted.bytes)} condemned=${condemned.packs} repacked=${repacked.packs} waiting=${waiting.packs}`;
  return [...reportLines(report), `gc ${result} ${moved} duration=${compactDuration(durationMs)}`];
}

const KEPT: Readonly<Record<KeptReason, string>> = {
  'damaged-tables': 'kept: an index table is damaged and may name packs that could go; run repair',
  'locked-tables': 'kept: an index table is locked in the store and cannot be rewritten yet; a later run goes on',
  'unreadable-lease': 'kept: a lease cannot be read; it expires by itself',
};

function reportLines(report: GcReport): string[] {
  const { deleted, locked, condemned, repacked, rewritten, rescued, waiting, leftovers, kept, dryRun } = report;
  const would = dryRun ? 'would be ' : '';
  const sums: readonly (readonly [PackSum, string])[] = [
    [deleted, `${would}deleted: ${sumText(deleted)}`],
    [repacked, `${would}rewritten: ${sumText(repacked)}, of which ${formatBytes(rewritten.bytes)} are needed`],
    [rescued, `needed again: ${sumText(rescued)}`],
    [condemned, `${would}condemned: ${sumText(condemned)}; a run after the grace deletes them`],
    [waiting, `waiting: ${sumText(waiting)} condemned and not yet deleted`],
  ];
  return [
    ...sums.filter(([sum]) => sum.packs > 0).map(([, text]) => text),
    ...(locked.packs > 0 ? [lockedText(locked)] : []),
    ...(leftovers.files > 0 ? [`removed: ${count(leftovers.files, 'leftover')} of interrupted writers, ${formatBytes(leftovers.bytes)}`] : []),
    ...report.waitingFor.map((lease: LeaseInfo) => `waiting for: ${leaseText(lease)}`),
    ...kept.map((reason) => KEPT[reason]),
  ];
}

function lockedText({ keys: [first = ''], until, ...sum }: GcReport['locked']): string {
  const when = until === undefined ? '' : `; the first lock ends at ${formatTime(until)}`;
  return `locked in the store: ${sumText(sum)}, ${sum.packs === 1 ? first : `${first} and others`}${when}. They stay condemned, and every run tries again`;
}

function sumText({ packs, bytes }: PackSum): string {
  return `${count(packs, 'pack')}, ${formatBytes(bytes)}`;
}
