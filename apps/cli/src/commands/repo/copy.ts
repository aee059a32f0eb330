import type { CopyOutcome, CopyReport, Repository } from '@onevault/backup-format';
import { errorCode, serializeError } from '@onevault/base';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { Rate } from '../../render/disk-rates.ts';
import { progressView } from '../../render/progress-view.ts';
import { printable } from '../../render/table.ts';
import { compactBytes, compactDuration, count, formatBytes } from '../../render/units.ts';
import { parseDate } from '../../select/date-argument.ts';
import { pointsOfVm } from '../../select/select-point.ts';

interface CopyFlags {
  readonly to: string;
  readonly point: readonly string[];
  readonly vm: readonly string[];
  readonly all?: boolean;
  readonly since?: string;
  readonly full?: boolean;
  readonly marks: boolean;
}

export function copyCommand(run: RunCommand): Command {
  const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];
  return new Command('copy')
    .description(
      'copy restore points into another repository of the same block size; keys, digest and compression may differ. What is there is not copied again',
    )
    .requiredOption('--to <url>', 'the other repository; its secrets come from ONEVAULT_TARGET_PASSPHRASE_FILE and the like, ONEVAULT_TARGET_AWS_…')
    .option('--point <id>', 'this restore point; may be repeated', collect, [])
    .option('--vm <vm>', 'all of this VM: id, name or group; may be repeated', collect, [])
    .option('--all', 'all there are')
    .option('--since <date>', 'of these, those captured since')
    .option('--full', 'trust no earlier copy: look up every chunk, and store again what the other repository has lost')
    .option('--no-marks', 'leave the holds and tags of the restore points behind')
    .action((flags: CopyFlags, sub: Command) => run(sub, (context) => runCopy(context, flags)));
}

const CLEAR_COPY = 'the other repository is not encrypted: disks are readable in it, and passwords of VMs that OpenNebula itself keeps encrypted';

async function runCopy(context: CommandContext, flags: CopyFlags): Promise<ExitCode> {
  const { compose, output, clock, signal } = context;
  const chosen = [flags.point.length > 0, flags.vm.length > 0, flags.all === true].filter(Boolean).length;
  if (chosen !== 1) throw usageError('say what to copy: --point ID, --vm VM or --all', 'one of them; --since narrows it');
  await using source = await compose.openRepository({ signal });
  await using target = await compose.openTarget(flags.to, { signal });
  if (source.config.encryption && !target.config.encryption) output.warn(CLEAR_COPY);
  const startedMs = clock.monotonicMs();
  const selection = await selectPoints(source, flags, signal);
  const outcomes: CopyOutcome[] = [];
  const report = await copyAll(context, { source, target, points: selection.ids, full: flags.full ?? false, marks: flags.marks }, (outcome) =>
    outcomes.push(outcome),
  );
  const durationMs = clock.monotonicMs() - startedMs;
  for (const key of selection.unreadable) output.warn(`${key} cannot be read and was not copied`);
  const { holds, tags, unreadable } = report.marks;
  if (unreadable > 0) output.warn(`${count(unreadable, 'mark')} cannot be read: such a restore point is held here, and not there`);
  for (const outcome of outcomes) for (const line of outcomeLines(outcome)) output.line(printable(line));
  const bad = report.failed > 0 || selection.unreadable.length > 0;
  output.line(
    `copy result=${bad ? 'damaged' : 'ok'} copied=${report.copied} present=${report.present} failed=${report.failed} read=${compactBytes(report.readBytes)} stored=${compactBytes(report.storedBytes)}${holds + tags > 0 ? ` holds=${holds} tags=${tags}` : ''} duration=${compactDuration(durationMs)}`,
  );
  output.document('repo.copy', { ...report, unreadable: selection.unreadable, durationMs, points: outcomes.map(outcomeDocument) });
  return bad ? EXIT.damage : EXIT.ok;
}

/** Manifests that cannot be read have no VM and no date: they are told of, unless points were named. */
async function selectPoints(source: Repository, flags: CopyFlags, signal: AbortSignal): Promise<{ readonly ids: string[]; readonly unreadable: string[] }> {
  const since = flags.since === undefined ? undefined : parseDate(flags.since, '--since').getTime();
  const isRecent = ({ capturedAt }: { readonly capturedAt: string }): boolean => since === undefined || Date.parse(capturedAt) >= since;
  const named = await Promise.all(flags.point.map((id) => source.point(id, { signal })));
  if (named.length > 0) return { ids: named.filter(isRecent).map(({ id }) => id), unreadable: [] };
  const ids = new Set<string>();
  const unreadable = new Set<string>();
  for (const vm of flags.all ? [undefined] : flags.vm) {
    for (const listed of await pointsOfVm(source, vm, { signal })) {
      if (listed.kind === 'damaged') unreadable.add(listed.key);
      else if (isRecent(listed.point)) ids.add(listed.point.id);
    }
  }
  return { ids: [...ids], unreadable: [...unreadable] };
}

interface CopyWork {
  readonly source: Repository;
  readonly target: Repository;
  readonly points: readonly string[];
  readonly full: boolean;
  readonly marks: boolean;
}

async function copyAll({ output, clock, signal }: CommandContext, work: CopyWork, ended: (outcome: CopyOutcome) => void): Promise<CopyReport> {
  using view = progressView(output, clock);
  let pointId = '';
  let rate = new Rate();
  const run = work.source.copyTo(work.target, {
    points: work.points,
    full: work.full,
    marks: work.marks,
    signal,
    onProgress: (progress) => {
      if (progress.pointId !== pointId) rate = new Rate();
      pointId = progress.pointId;
      const { doneBytes, totalBytes, points, totalPoints } = progress;
      const bytesPerSecond = rate.at(clock.monotonicMs(), doneBytes);
      view.show({
        label: `${points + 1} of ${totalPoints}`,
        phase: 'copy',
        doneBytes,
        totalBytes,
        bytesPerSecond,
        changedBytes: undefined,
        storedBytes: undefined,
      });
    },
  });
  for (;;) {
    const next = await run.next();
    if (next.done === true) return next.value;
    ended(next.value);
  }
}

function outcomeLines(outcome: CopyOutcome): string[] {
  if (outcome.kind === 'copied') {
    const { point, replaced } = outcome;
    const instead = replaced === undefined ? '' : `, in place of a damaged manifest that is kept as ${replaced}`;
    return [`copied ${point.id} of ${point.group}, stored ${formatBytes(point.stats.storedBytes)}${instead}`];
  }
  if (outcome.kind === 'present') return [];
  return [`failed ${outcome.pointId} of ${outcome.group}: ${outcome.error.message} (${errorCode(outcome.error) ?? outcome.error.name})`];
}

function outcomeDocument(outcome: CopyOutcome): object {
  if (outcome.kind === 'copied')
    return { result: 'copied', pointId: outcome.point.id, group: outcome.point.group, stats: outcome.point.stats, replaced: outcome.replaced ?? null };
  const { kind: result, pointId, group } = outcome;
  return outcome.kind === 'failed' ? { result, pointId, group, error: serializeError(outcome.error) } : { result, pointId, group };
}
