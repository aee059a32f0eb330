import { isAbort } from '@onevault/base';
import type { VmId } from '@onevault/one-client';
import type { SnapshotReport } from '@onevault/orchestrator';
import type { CommandContext } from '../../command-context.ts';
import { type ExitCode, primaryError, reportError } from '../../exit.ts';
import { snapshotFailedLine, snapshotLine } from '../../render/summary-line.ts';
import { concludeVms, errorCodeOf, errorFacts, type VmOutcome } from '../each-vm.ts';

type Action = SnapshotReport['action'];

/** One VM's result as people read it; of a single VM that failed the command's own error says it all. */
export function tellSnapshot({ output }: CommandContext, action: Action, outcome: VmOutcome<SnapshotReport>, several: boolean): void {
  if ('report' in outcome) {
    output.line(snapshotLine(outcome.report));
    return;
  }
  if (!several) return;
  const { message, hint } = errorFacts(outcome.error);
  output.warn(`VM ${outcome.vmId}: ${message}`);
  if (hint !== undefined) output.note(`hint: ${hint}`);
  output.line(snapshotFailedLine(action, outcome.vmId, errorCodeOf(outcome.error)));
}

/** The document at the end, and the exit code. */
export function concludeSnapshots(
  { output }: CommandContext,
  action: Action,
  outcomes: readonly VmOutcome<SnapshotReport>[],
  notAttempted: readonly VmId[],
): ExitCode {
  output.document(`snapshot.${action}`, { snapshots: outcomes.map(outcomeDocument), notAttempted });
  const { exitCode, error } = concludeVms(outcomes, (report) => report.residue.length === 0);
  return error === undefined ? exitCode : reportError(output, error);
}

function outcomeDocument(outcome: VmOutcome<SnapshotReport>): object {
  if ('report' in outcome) return { outcome: outcome.report.residue.length > 0 ? 'residue' : 'complete', ...outcome.report };
  const cancelled = isAbort(primaryError(outcome.error));
  return { outcome: cancelled ? 'cancelled' : 'failed', vmId: outcome.vmId, error: errorFacts(outcome.error), residue: outcome.residue };
}
