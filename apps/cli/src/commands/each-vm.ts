import { randomBytes } from 'node:crypto';
import { errorCode, isAbort, isBaseError, type SerializedError, serializeError } from '@onevault/base';
import { lockVm } from '@onevault/composition';
import type { VmId } from '@onevault/one-client';
import type { ControlDeps, JobEvent } from '@onevault/orchestrator';
import type { CommandContext } from '../command-context.ts';
import { EXIT, type ExitCode, exitCodeOf, primaryError } from '../exit.ts';
import { asVmError } from '../select/select-vms.ts';

/** One VM and how it went. */
export type VmOutcome<R> = { readonly vmId: VmId; readonly report: R } | { readonly vmId: VmId; readonly error: unknown; readonly residue: readonly string[] };

/** One VM under its lock. Never throws: what went wrong is in the outcome. */
async function oneVm<R>(context: CommandContext, deps: ControlDeps, vmId: VmId, work: (deps: ControlDeps) => Promise<R>): Promise<VmOutcome<R>> {
  let residue: readonly string[] = [];
  const emit = (event: JobEvent): void => {
    if (event.type === 'run.finished') residue = event.residue;
    deps.emit(event);
  };
  try {
    const lockDeps = { stateDir: context.settings.stateDir, journals: deps.journals, clock: context.clock, randomBytes };
    await using _lock = await lockVm(lockDeps, deps.cloud.endpoint, vmId, { signal: context.signal });
    return { vmId, report: await work({ ...deps, emit }) };
  } catch (error) {
    return { vmId, error: asVmError(error, vmId), residue };
  }
}

/** The same for several, one after another, until one fails in a way that would hit all the others. */
export async function eachVm<R>(
  context: CommandContext,
  deps: ControlDeps,
  ids: readonly VmId[],
  work: (deps: ControlDeps, vmId: VmId) => Promise<R>,
  tell: (outcome: VmOutcome<R>) => void,
): Promise<{ readonly outcomes: readonly VmOutcome<R>[]; readonly notAttempted: readonly VmId[] }> {
  const outcomes: VmOutcome<R>[] = [];
  for (const id of ids) {
    const outcome = await oneVm(context, deps, id, (own) => work(own, id));
    outcomes.push(outcome);
    tell(outcome);
    if ('error' in outcome && endsAll(outcome.error)) break;
  }
  const notAttempted = ids.slice(outcomes.length);
  if (notAttempted.length > 0) context.output.warn(`not attempted: VM ${notAttempted.join(', ')}`);
  return { outcomes, notAttempted };
}

const ENDS_ALL: ReadonlySet<string> = new Set(['ONE_UNREACHABLE', 'ONE_AUTHENTICATION', 'JOB_JOURNAL_FAILED', 'CLI_STATE_DIR_INVALID']);

function endsAll(error: unknown): boolean {
  const primary = primaryError(error);
  return isAbort(primary) || ENDS_ALL.has(errorCode(primary) ?? '');
}

/** One VM that fails is the error of the command; one of several makes the whole thing incomplete. */
export function concludeVms<R>(outcomes: readonly VmOutcome<R>[], isWhole: (report: R) => boolean): { readonly exitCode: ExitCode; readonly error?: unknown } {
  const failed = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome.error] : []));
  const cancelled = failed.find((error) => isAbort(primaryError(error)));
  const error = cancelled ?? (outcomes.length === 1 ? failed[0] : undefined);
  if (error !== undefined) return { exitCode: exitCodeOf(error), error };
  if (failed.length > 0 && failed.length === outcomes.length) {
    const codes = new Set(failed.map(exitCodeOf));
    const [only] = codes;
    return { exitCode: codes.size === 1 && only !== undefined ? only : EXIT.failed };
  }
  const incomplete = failed.length > 0 || outcomes.some((outcome) => 'report' in outcome && !isWhole(outcome.report));
  return { exitCode: incomplete ? EXIT.partial : EXIT.ok };
}

export function errorFacts(error: unknown): SerializedError {
  return serializeError(primaryError(error));
}

export function errorCodeOf(error: unknown): string {
  const primary = primaryError(error);
  if (isAbort(primary)) return 'CANCELLED';
  return isBaseError(primary) ? primary.code : (errorCode(primary) ?? 'INTERNAL');
}
