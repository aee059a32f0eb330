import { randomBytes } from 'node:crypto';
import { errorCode, isAbort, isBaseError, type SerializedError, serializeError } from '@onevault/base';
import { lockVm } from '@onevault/composition';
import type { VmId } from '@onevault/one-client';
import { type BackupReport, type BackupRequest, backupVm, type JobDeps, type JobEvent } from '@onevault/orchestrator';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode, exitCodeOf, primaryError, reportError } from '../exit.ts';
import { remoteBackup } from '../remote/backup.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { backupFailedLine, backupLine } from '../render/summary-line.ts';
import { asVmError } from '../select/select-vms.ts';
import { wantedVms } from './plan.ts';
import { addPlanFlags, type PlanFlags, parallelDisks, planRequest } from './plan-flags.ts';
import { addRecoverFlag, type RecoverFlag, recoverFirst } from './recover-first.ts';

export interface BackupFlags extends PlanFlags, RecoverFlag {
  readonly full?: boolean;
}

export function backupCommand(run: RunCommand): Command {
  const command = new Command('backup').argument('[vm...]', 'ids or names: 6, 1..5, 1,2,web').description('back up VMs, one after another');
  return addRecoverFlag(addPlanFlags(command))
    .option('--full', 'trust nothing: read every block and check that each is really in the repository')
    .action((vms: string[], flags: BackupFlags, sub: Command) =>
      run(
        sub,
        (context) => backup(context, vms, flags),
        (context) => remoteBackup(context, vms, flags),
      ),
    );
}

/** One VM and how it went. */
export type BackupOutcome =
  | { readonly vmId: number; readonly report: BackupReport }
  | { readonly vmId: number; readonly error: unknown; readonly residue: readonly string[] };

export interface BackupResult {
  readonly exitCode: ExitCode;
  readonly outcomes: readonly BackupOutcome[];
  /** What the command as a whole fails with; the failures of single VMs are in their outcomes. */
  readonly error?: unknown;
}

async function backup(context: CommandContext, argv: readonly string[], flags: BackupFlags): Promise<ExitCode> {
  const { exitCode, error } = await runBackup(context, argv, flags);
  return error === undefined ? exitCode : reportError(context.output, error);
}

export async function runBackup(context: CommandContext, argv: readonly string[], flags: BackupFlags): Promise<BackupResult> {
  const { compose, output, clock, signal } = context;
  const options = requestOptions(flags);
  using renderer = jobRenderer(output, clock);
  await using deps = await compose.openJobs((event) => renderer.emit(event), { signal });
  const wanted = await wantedVms(deps.cloud, argv, flags, { signal });
  const ids = flags.all === true ? wanted.filter((id) => id !== deps.proxyVm) : wanted;
  if (ids.length < wanted.length) output.note(`VM ${deps.proxyVm} is left out: it is the proxy VM, in which this runs`);
  if (ids.length === 0) throw usageError('there is no VM to back up');
  const earlier = await recoverFirst(context, deps, flags);
  const outcomes: BackupOutcome[] = [];
  for (const vmId of ids) {
    const outcome = await backupOne(context, deps, { ...options, vmId });
    outcomes.push(outcome);
    if (ids.length > 1 || 'report' in outcome) showOutcome(context, outcome, deps.repository.config.blockSizeBytes);
    if ('error' in outcome && endsAll(outcome.error)) break;
  }
  if (outcomes.length < ids.length) output.warn(`not attempted: VM ${ids.slice(outcomes.length).join(', ')}`);
  output.document('backup.result', { backups: outcomes.map(outcomeDocument), notAttempted: ids.slice(outcomes.length), ...earlier });
  return { ...conclude(ids, outcomes), outcomes };
}

function requestOptions(flags: BackupFlags): Omit<BackupRequest, 'vmId'> {
  const { capture, allowLongFreeze, excludeDisks } = planRequest(flags, undefined);
  return {
    mode: flags.full === true ? 'full' : 'auto',
    capture,
    allowLongFreeze: allowLongFreeze === true,
    excludeDisks,
    parallelDisks: parallelDisks(flags),
  };
}

async function backupOne(context: CommandContext, deps: JobDeps, request: BackupRequest): Promise<BackupOutcome> {
  const { vmId } = request;
  let residue: readonly string[] = [];
  const emit = (event: JobEvent): void => {
    if (event.type === 'run.finished') residue = event.residue;
    deps.emit(event);
  };
  try {
    await using _lock = await lockVm(
      { stateDir: context.settings.stateDir, journals: deps.journals, clock: context.clock, randomBytes },
      deps.cloud.endpoint,
      vmId,
      { signal: context.signal },
    );
    return { vmId, report: await backupVm({ ...deps, emit }, request, { signal: context.signal }) };
  } catch (error) {
    return { vmId, error: asVmError(error, vmId), residue };
  }
}

/** What would hit every other VM just the same: no cloud, no right, no room, no more wish to go on. */
function endsAll(error: unknown): boolean {
  const primary = primaryError(error);
  if (isAbort(primary)) return true;
  const code = errorCode(primary) ?? '';
  return ENDS_ALL.has(code);
}

const ENDS_ALL: ReadonlySet<string> = new Set([
  'ONE_UNREACHABLE',
  'ONE_AUTHENTICATION',
  'REPO_NO_SPACE',
  'REPO_NOT_WRITABLE',
  'REPO_NOT_FOUND',
  'REPO_BUCKET_MISSING',
  'REPO_UNREACHABLE',
  'REPO_ACCESS_DENIED',
  'REPO_CREDENTIALS_INVALID',
  'JOB_JOURNAL_FAILED',
  'CLI_STATE_DIR_INVALID',
]);

function showOutcome({ output }: CommandContext, outcome: BackupOutcome, blockSizeBytes: number): void {
  if ('report' in outcome) {
    output.line(backupLine(outcome.report, blockSizeBytes));
    return;
  }
  const { message, hint } = facts(outcome.error);
  output.warn(`VM ${outcome.vmId} was not backed up: ${message}`);
  if (hint !== undefined) output.note(`hint: ${hint}`);
  output.line(backupFailedLine(outcome.vmId, codeOf(outcome.error)));
}

function outcomeDocument(outcome: BackupOutcome): object {
  if ('report' in outcome) return { outcome: outcome.report.residue.length > 0 ? 'residue' : 'complete', ...outcome.report };
  return { outcome: isAbort(primaryError(outcome.error)) ? 'cancelled' : 'failed', vmId: outcome.vmId, error: facts(outcome.error), residue: outcome.residue };
}

/** One VM that fails is the error of the command; one of several makes the whole thing incomplete. */
function conclude(ids: readonly VmId[], outcomes: readonly BackupOutcome[]): { readonly exitCode: ExitCode; readonly error?: unknown } {
  const failed = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome.error] : []));
  const cancelled = failed.find((error) => isAbort(primaryError(error)));
  const error = cancelled ?? (ids.length === 1 ? failed[0] : undefined);
  if (error !== undefined) return { exitCode: exitCodeOf(error), error };
  if (failed.length > 0 && failed.length === outcomes.length) return { exitCode: sameExit(failed) };
  const incomplete = failed.length > 0 || outcomes.some((outcome) => 'report' in outcome && outcome.report.residue.length > 0);
  return { exitCode: incomplete ? EXIT.partial : EXIT.ok };
}

function sameExit(errors: readonly unknown[]): ExitCode {
  const codes = new Set(errors.map(exitCodeOf));
  const [only] = codes;
  return codes.size === 1 && only !== undefined ? only : EXIT.failed;
}

function facts(error: unknown): SerializedError {
  return serializeError(primaryError(error));
}

function codeOf(error: unknown): string {
  const primary = primaryError(error);
  if (isAbort(primary)) return 'CANCELLED';
  return isBaseError(primary) ? primary.code : (errorCode(primary) ?? 'INTERNAL');
}
