import type { BackupReport, JobEvent } from '@onevault/orchestrator';
import type { BackupFlags } from '../commands/backup.ts';
import { planRequest } from '../commands/plan-flags.ts';
import { type ExitCode, reportError } from '../exit.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { backupFailedLine, backupLine } from '../render/summary-line.ts';
import { NOT_RECOVERING, refuseFlags } from './not-through-server.ts';
import { concludeRemote, errorFacts, outcomesOf } from './outcomes.ts';
import type { RemoteContext } from './remote-context.ts';
import { repositoryAt } from './remote-points.ts';
import { selectRemoteVms } from './remote-vms.ts';
import { reportOf } from './run-to-end.ts';

/** One run for each VM, all begun at once: how many work at a time is the server's to say. Told one after another. */
export async function remoteBackup(context: RemoteContext, argv: readonly string[], flags: BackupFlags): Promise<ExitCode> {
  const { output, clock } = context;
  refuseFlags(flags, { ...NOT_RECOVERING, parallelDisks: ['--parallel-disks', '2'] });
  const { capture, allowLongFreeze, excludeDisks } = planRequest(flags, undefined);
  const repository = await repositoryAt(context);
  const ids = await selectRemoteVms(context, argv, flags);
  using renderer = jobRenderer(output, clock);
  const requests = ids.map((vmId) => ({
    kind: 'backup' as const,
    vmId,
    repository,
    mode: flags.full === true ? ('full' as const) : ('auto' as const),
    // `auto` would win over what a policy says of it.
    ...(capture !== 'auto' && { capture }),
    ...(allowLongFreeze === true && { allowLongFreeze }),
    ...(excludeDisks.length > 0 && { excludeDisks: excludeDisks.map(Number) }),
  }));
  const outcomes = await outcomesOf(
    context,
    requests,
    (event: JobEvent) => renderer.emit(event),
    (outcome, at) => {
      if ('run' in outcome) output.line(backupLine(reportOf(outcome.run), reportOf<BackupReport>(outcome.run).blockSizeBytes));
      else if (ids.length > 1) {
        output.warn(`VM ${ids[at]} was not backed up: ${errorFacts(outcome.error).message}`);
        output.line(backupFailedLine(ids[at] ?? -1, errorFacts(outcome.error).code ?? 'INTERNAL'));
      }
    },
  );
  output.document('backup.result', {
    backups: outcomes.map((outcome, at) =>
      'run' in outcome
        ? { outcome: outcome.run.state === 'degraded' ? 'residue' : 'complete', serverRun: outcome.run.id, ...outcome.run.report }
        : { outcome: 'failed', vmId: ids[at], serverRun: outcome.runId ?? null, error: errorFacts(outcome.error) },
    ),
    notAttempted: [],
  });
  const { exitCode, error } = concludeRemote(outcomes);
  return error === undefined ? exitCode : reportError(output, error);
}
