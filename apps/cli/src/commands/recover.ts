import { type RecoveredRun, type RecoverReport, recoverRuns } from '@onevault/orchestrator';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Output } from '../render/output.ts';
import { doneWith, RECOVERED_COLUMNS, RESIDUE_COLUMNS, recoverLine } from '../render/recover-text.ts';
import { renderTable } from '../render/table.ts';

export interface RecoverFlags {
  readonly goneHost?: readonly string[];
}

const repeat = (value: string, values: string[] | undefined): string[] => [...(values ?? []), value];

export function recoverCommand(run: RunCommand): Command {
  return new Command('recover')
    .description('take away what runs that died left in OpenNebula, as their journals say; every run begins with this')
    .option('--gone-host <name>', 'a host that will not come back: its runs count as dead (may be repeated)', repeat)
    .action((flags: RecoverFlags, sub: Command) => run(sub, (context) => recover(context, flags)));
}

async function recover({ compose, output, signal }: CommandContext, flags: RecoverFlags): Promise<ExitCode> {
  await using deps = await compose.openRecovery({ signal });
  const report = await recoverRuns(deps, { signal, goneHosts: flags.goneHost ?? [] });
  show(output, report);
  output.line(recoverLine(report));
  output.document('recover.result', report);
  return exitOf(report);
}

function show(output: Output, { runs, residue, cloudLost }: RecoverReport): void {
  if (runs.length > 0) for (const line of renderTable(RECOVERED_COLUMNS, runs)) output.line(line);
  for (const run of runs) showRun(output, run);
  if (residue.length > 0) for (const line of renderTable(RESIDUE_COLUMNS, residue)) output.line(line);
  if (cloudLost !== undefined) output.warn(`OpenNebula stopped answering: ${cloudLost.message}; the rest stays in the journals, run this again`);
}

function showRun(output: Output, { runId, removed, kept, left }: RecoveredRun): void {
  for (const { object, label } of removed) output.note(`run ${runId}: ${doneWith(object)} ${label}`);
  for (const { label } of kept) output.note(`run ${runId}: kept ${label}, it was finished`);
  for (const { label, error } of left) output.warn(`run ${runId}: ${label} is still there${error === undefined ? '' : `: ${error.message}`}`);
}

function exitOf({ runs, cloudLost }: RecoverReport): ExitCode {
  if (cloudLost !== undefined) return EXIT.cloud;
  return runs.some((run) => run.outcome !== 'recovered') ? EXIT.partial : EXIT.ok;
}
