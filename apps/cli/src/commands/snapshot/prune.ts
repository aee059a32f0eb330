import { checkPrunePolicy, type PrunedSet, type PrunePolicy, type PruneReport, pruneSnapshots, refusalText } from '@onevault/orchestrator';
import type { CommandContext } from '../../command-context.ts';
import { type ExitCode, reportError } from '../../exit.ts';
import { jobRenderer } from '../../render/job-renderer.ts';
import { pruneLine } from '../../render/summary-line.ts';
import { printable, renderTable } from '../../render/table.ts';
import { formatTime } from '../../render/units.ts';
import { concludeVms, eachVm, errorFacts, type VmOutcome } from '../each-vm.ts';
import { wantedVms } from '../plan.ts';
import type { RecoverFlag } from '../recover-first.ts';
import { recoverBefore } from './recover-before.ts';
import { numberOf, spanMs } from './snapshot-flags.ts';

export interface PruneFlags extends RecoverFlag {
  readonly all?: boolean;
  readonly keep?: string;
  readonly maxAge?: string;
  readonly namePrefix?: string;
  readonly dryRun?: boolean;
}

export async function runSnapshotPrune(context: CommandContext, argv: readonly string[], flags: PruneFlags): Promise<ExitCode> {
  const { compose, output, clock, signal } = context;
  const policy = policyOf(flags);
  const dryRun = flags.dryRun ?? false;
  using renderer = jobRenderer(output, clock);
  await using deps = await compose.openControl((event) => renderer.emit(event), { signal });
  await recoverBefore(context, flags);
  const ids = await wantedVms(deps.cloud, argv, flags, { signal });
  const { outcomes, notAttempted } = await eachVm(
    context,
    deps,
    ids,
    (own, vmId) => pruneSnapshots(own, { vmId, policy, dryRun }, { signal }),
    (outcome) => tell(context, outcome, ids.length > 1),
  );
  output.line(
    pruneLine(
      outcomes.flatMap((outcome) => ('report' in outcome ? [outcome.report] : [])),
      dryRun,
    ),
  );
  output.document('snapshot.prune', { dryRun, policy, vms: outcomes.map(outcomeDocument), notAttempted });
  const { exitCode, error } = concludeVms(outcomes, (report) => report.sets.every(({ outcome }) => outcome !== 'impossible' && outcome !== 'failed'));
  return error === undefined ? exitCode : reportError(output, error);
}

function policyOf({ keep, maxAge, namePrefix }: PruneFlags): PrunePolicy {
  return checkPrunePolicy({
    ...(keep !== undefined && { keep: numberOf(keep, '--keep') }),
    ...(maxAge !== undefined && { maxAgeMs: spanMs(maxAge, '--max-age', 'hdw') }),
    ...(namePrefix !== undefined && { namePrefix }),
  });
}

function tell({ output }: CommandContext, outcome: VmOutcome<PruneReport>, several: boolean): void {
  if ('error' in outcome) {
    if (several) output.warn(`VM ${outcome.vmId}: ${errorFacts(outcome.error).message}`);
    return;
  }
  const { vmId, vmName, sets } = outcome.report;
  if (sets.length === 0) return;
  output.line(`VM ${vmId} ${printable(vmName)}`);
  const table = renderTable<PrunedSet>(
    [
      { name: 'SET', value: ({ set }) => set.setId },
      { name: 'NAME', value: ({ set }) => set.name },
      { name: 'TAKEN', value: ({ set }) => formatTime(set.createdAt) },
      { name: 'OUTCOME', value: ({ outcome: what }) => what },
      { name: 'REASONS', value: ({ reasons }) => reasons.join(', ') },
    ],
    sets,
  );
  for (const line of table) output.line(`  ${line}`);
  for (const { set, refusals, error } of sets) {
    for (const refusal of refusals) output.warn(`set ${set.setId} cannot go: ${refusalText(refusal)}; ${refusal.remedy}`);
    if (error !== undefined) output.warn(`set ${set.setId} was not deleted: ${error.message}`);
  }
}

function outcomeDocument(outcome: VmOutcome<PruneReport>): object {
  if ('error' in outcome) return { vmId: outcome.vmId, error: errorFacts(outcome.error) };
  const { vmId, vmName, sets } = outcome.report;
  return {
    vmId,
    vmName,
    sets: sets.map(({ set, verdict, reasons, outcome: what, refusals, error }) => ({
      setId: set.setId,
      name: set.name,
      createdAt: set.createdAt.toISOString(),
      verdict,
      reasons,
      outcome: what,
      refusals,
      ...(error && { error }),
    })),
  };
}
