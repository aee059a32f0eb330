import type { RepositoryStats, VerifyRecord } from '@onevault/backup-format';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { count, formatBytes, formatTime } from '../../render/units.ts';

export function statsCommand(run: RunCommand): Command {
  return new Command('stats')
    .description('what is in the repository and what it saves; reads manifests and listings, no data')
    .action((_flags: object, sub: Command) => run(sub, runStats));
}

async function runStats({ compose, output, signal }: CommandContext): Promise<ExitCode> {
  await using repository = await compose.openRepository({ signal });
  const stats = await repository.stats({ signal });
  const records = await repository.verifyRecords({ signal });
  const lastVerifies = lastOfEachMode(records);
  for (const [label, value] of factsOf(stats, lastVerifies)) output.line(`${label.padEnd(12)}: ${value}`);
  if (stats.unreadablePoints > 0) output.warn(`${count(stats.unreadablePoints, 'manifest')} cannot be read: point list names them`);
  output.document('repo.stats', { location: repository.location, stats, ratios: ratiosOf(stats), lastVerify: records.at(-1) ?? null, lastVerifies });
  return stats.unreadablePoints > 0 ? EXIT.damage : EXIT.ok;
}

/** By the newest of each: a look at the structure this morning does not hide when the data was read. */
function lastOfEachMode(records: readonly VerifyRecord[]): Partial<Record<VerifyRecord['mode'], VerifyRecord>> {
  return Object.fromEntries(records.map((record) => [record.mode, record]));
}

function factsOf(stats: RepositoryStats, lastVerifies: Partial<Record<VerifyRecord['mode'], VerifyRecord>>): readonly (readonly [string, string])[] {
  const { total, deduplication, compression } = ratiosOf(stats);
  const kinds = Object.entries(stats.stored).sort(([, a], [, b]) => b.bytes - a.bytes);
  return [
    ['POINTS', `${stats.points} of ${count(stats.groups, 'VM')}, ${stats.markedPoints} held`],
    ['DISKS', `${formatBytes(stats.logicalBytes)}, each restore point whole`],
    ['STORED', `${formatBytes(stats.storedBytes)}: ${kinds.map(([kind, { objects, bytes }]) => `${kind} ${formatBytes(bytes)} in ${objects}`).join(', ')}`],
    ['RATIO', `${ratioText(total)}: deduplication and zeros ${ratioText(deduplication)}, compression ${ratioText(compression)}${sampleText(stats)}`],
    ['ORPHANS', stats.orphanPacks ? orphanText(stats.orphanPacks) : 'unknown, an index table is damaged: run repo check'],
    ...verifyFacts(lastVerifies),
  ];
}

/** How many times more the disks are than what is stored of them; null where there is nothing to divide. */
function ratiosOf(stats: RepositoryStats): { readonly total: number | null; readonly deduplication: number | null; readonly compression: number | null } {
  const packs = stats.stored['packs']?.bytes ?? 0;
  const total = packs === 0 ? null : stats.logicalBytes / packs;
  const { plainBytes, storedBytes } = stats.compression;
  const compression = storedBytes === 0 ? null : plainBytes / storedBytes;
  return { total, deduplication: total === null || compression === null ? null : total / compression, compression };
}

function ratioText(ratio: number | null): string {
  return ratio === null ? '-' : `${ratio.toFixed(ratio < 10 ? 2 : 1)}x`;
}

function orphanText({ objects, bytes }: { readonly objects: number; readonly bytes: number }): string {
  return objects === 0 ? 'none' : `${formatBytes(bytes)} in ${count(objects, 'pack')} that no index table names: left by runs that died, or being written now`;
}

/** What was looked at for the ratio, where that is not everything. */
function sampleText({ compression: { packs, ofPacks } }: RepositoryStats): string {
  return packs === ofPacks ? '' : ` (by ${packs} of ${count(ofPacks, 'pack')})`;
}

const VERIFY_MODES = ['all', 'sample', 'structure', 'repair'] as const;

function verifyFacts(lastVerifies: Partial<Record<VerifyRecord['mode'], VerifyRecord>>): (readonly [string, string])[] {
  const facts = VERIFY_MODES.flatMap((mode) => lastVerifies[mode] ?? []).map((record) => verifyText(record));
  return facts.length === 0 ? [['LAST VERIFY', 'never']] : facts.map((text) => ['LAST VERIFY', text]);
}

function verifyText({ finishedAt, mode, counts }: VerifyRecord): string {
  const found = counts.damaged === 0 ? 'nothing damaged' : `${count(counts.damaged, 'object')} damaged`;
  return `${mode} ${formatTime(finishedAt)}, ${found}`;
}
