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
  const lastVerify = (await repository.verifyRecords({ signal })).at(-1);
  for (const [label, value] of factsOf(stats, lastVerify)) output.line(`${label.padEnd(12)}: ${value}`);
  if (stats.unreadablePoints > 0) output.warn(`${count(stats.unreadablePoints, 'manifest')} cannot be read: point list names them`);
  output.document('repo.stats', { location: repository.location, stats, ratios: ratiosOf(stats), lastVerify: lastVerify ?? null });
  return stats.unreadablePoints > 0 ? EXIT.damage : EXIT.ok;
}

function factsOf(stats: RepositoryStats, lastVerify: VerifyRecord | undefined): readonly (readonly [string, string])[] {
  const { total, deduplication, compression } = ratiosOf(stats);
  const kinds = Object.entries(stats.stored).sort(([, a], [, b]) => b.bytes - a.bytes);
  return [
    ['POINTS', `${stats.points} of ${count(stats.groups, 'VM')}, ${stats.markedPoints} held`],
    ['DISKS', `${formatBytes(stats.logicalBytes)}, each restore point whole`],
    ['STORED', `${formatBytes(stats.storedBytes)}: ${kinds.map(([kind, { objects, bytes }]) => `${kind} ${formatBytes(bytes)} in ${objects}`).join(', ')}`],
    ['RATIO', `${ratioText(total)}: deduplication and zeros ${ratioText(deduplication)}, compression ${ratioText(compression)}`],
    ['ORPHANS', stats.orphanPacks ? orphanText(stats.orphanPacks) : 'unknown, an index table is damaged: run repo check'],
    ['LAST VERIFY', lastVerify === undefined ? 'never' : verifyText(lastVerify)],
  ];
}

/** How many times more the disks are than what is stored of them; null where there is nothing to divide. */
function ratiosOf(stats: RepositoryStats): { readonly total: number | null; readonly deduplication: number | null; readonly compression: number | null } {
  const packs = stats.stored['packs']?.bytes ?? 0;
  const total = packs === 0 ? null : stats.logicalBytes / packs;
  const compression = stats.newStoredBytes === 0 ? null : stats.newBytes / stats.newStoredBytes;
  return { total, deduplication: total === null || compression === null ? null : total / compression, compression };
}

function ratioText(ratio: number | null): string {
  return ratio === null ? '-' : `${ratio.toFixed(ratio < 10 ? 2 : 1)}x`;
}

function orphanText({ objects, bytes }: { readonly objects: number; readonly bytes: number }): string {
  return objects === 0 ? 'none' : `${formatBytes(bytes)} in ${count(objects, 'pack')} that no index table names: left by runs that died, or being written now`;
}

function verifyText({ finishedAt, mode, counts }: VerifyRecord): string {
  const found = counts.damaged === 0 ? 'nothing damaged' : `${count(counts.damaged, 'object')} damaged`;
  return `${formatTime(finishedAt)}, ${mode}, ${found}`;
}
