import { findOrphans, type Orphan, type OrphanReport, type RecoverDeps, type RemovedOrphan, recoverRuns, removeOrphans } from '@onevault/orchestrator';
import { Command, Option } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { confirm } from '../confirm.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { remoteOrphans } from '../remote/standing.ts';
import { orphanColumns, REMOVED_COLUMNS, sparedColumns } from '../render/orphan-text.ts';
import { doneWith } from '../render/recover-text.ts';
import { renderTable } from '../render/table.ts';
import { count } from '../render/units.ts';

export interface CleanupFlags {
  readonly list?: boolean;
  readonly apply?: boolean;
  readonly yes?: boolean;
  readonly olderThan?: string;
  readonly otherProxies?: boolean;
}

export function cleanupCommand(run: RunCommand): Command {
  return new Command('cleanup')
    .description('objects of ours in OpenNebula that no run will take away any more, found by what they say themselves: for a lost state directory')
    .option('--list', 'show them; the default. Exit code 3 when there are any')
    .addOption(new Option('--apply', 'recover what the journals know, then remove the rest').conflicts('list'))
    .option('-y, --yes', 'with --apply: do not ask')
    .option('--older-than <age>', '30m, 12h, 7d: leave alone what is younger, for clouds with other proxies at work')
    .option('--other-proxies', 'also what another proxy VM has attached: it will not come back')
    .action((flags: CleanupFlags, sub: Command) =>
      run(
        sub,
        (context) => cleanup(context, flags),
        (context) => remoteOrphans(context, flags),
      ),
    );
}

async function cleanup(context: CommandContext, flags: CleanupFlags): Promise<ExitCode> {
  const { compose, output, clock, signal } = context;
  const olderThanS = flags.olderThan === undefined ? undefined : parseAge(flags.olderThan);
  await using deps = await compose.openRecovery({ signal });
  if (flags.apply === true) await recoverKnown(context, deps);
  const found = await findOrphans(deps, { signal, otherProxies: flags.otherProxies ?? false });
  const report = olderThanS === undefined ? found : withoutYoung(found, clock.now().getTime() / 1000 - olderThanS);
  show(context, report);
  if (flags.apply !== true) {
    output.document('cleanup.list', report);
    return report.orphans.length === 0 ? EXIT.ok : EXIT.partial;
  }
  const removed = await apply(context, deps, report.orphans, flags);
  output.document('cleanup.result', { ...report, removed });
  return removed.length === report.orphans.length && removed.every(isAway) ? EXIT.ok : EXIT.partial;
}

/** Journals know more than marks: what they know goes first. */
async function recoverKnown({ output, signal }: CommandContext, deps: RecoverDeps): Promise<void> {
  const { runs } = await recoverRuns(deps, { signal });
  for (const { runId, removed } of runs) for (const { object, label } of removed) output.note(`run ${runId}: ${doneWith(object)} ${label}`);
}

function show({ output, clock }: CommandContext, { orphans, spared }: OrphanReport): void {
  const nowMs = clock.now().getTime();
  if (orphans.length > 0) for (const line of renderTable(orphanColumns(nowMs), orphans)) output.line(line);
  else output.line('nothing of ours is left behind');
  if (spared.length > 0) for (const line of ['', ...renderTable(sparedColumns(nowMs), spared)]) output.line(line);
}

async function apply(context: CommandContext, deps: RecoverDeps, orphans: readonly Orphan[], flags: CleanupFlags): Promise<readonly RemovedOrphan[]> {
  const { output, signal } = context;
  if (orphans.length === 0) return [];
  if (flags.yes !== true && !(await mayRemove(context, orphans.length))) {
    output.note('nothing was removed');
    return [];
  }
  const removed = await removeOrphans(deps, orphans, { signal });
  for (const line of renderTable(REMOVED_COLUMNS, removed)) output.line(line);
  return removed;
}

/** Unlike elsewhere, silence is no consent: where nobody can be asked, --yes says it. */
async function mayRemove(context: CommandContext, number: number): Promise<boolean> {
  const { around, output } = context;
  if (around.stdin?.isTTY !== true || !around.stderrIsTerminal || output.mode !== 'text')
    throw usageError(`${count(number, 'object')} would be removed and nobody can be asked`, 'look at them with --list, then say --apply --yes');
  return confirm(context, `${count(number, 'object')} will be removed from OpenNebula.`);
}

function withoutYoung(found: OrphanReport, before: number): OrphanReport {
  return { ...found, orphans: found.orphans.filter((orphan) => isOlder(orphan, found.orphans, before)) };
}

/** What has no date of its own is as old as the image it hangs on. */
function isOlder({ object, bornAt }: Orphan, all: readonly Orphan[], before: number): boolean {
  const image = object.kind === 'attachment' ? all.find((other) => other.object.kind === 'image' && other.id === object.imageId) : undefined;
  return (bornAt ?? image?.bornAt ?? 0) <= before;
}

function isAway({ outcome }: RemovedOrphan): boolean {
  return outcome === 'removed' || outcome === 'gone';
}

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

function parseAge(text: string): number {
  const [, number, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = (SECONDS as Readonly<Record<string, number>>)[unit];
  if (number === undefined || seconds === undefined) throw usageError(`an age of '${text}'`, 'a number and s, m, h or d: 30m, 12h, 7d');
  return Number(number) * seconds;
}
