import type { RunRequest } from '@onevault/api';
import { isAbort, serializeError } from '@onevault/base';
import type { RunContext, RunOutcome } from '@onevault/run-queue';
import { openBreaker, type RunHistory } from './breaker.ts';
import { runBackup } from './kinds/backup.ts';
import { runDrill } from './kinds/drill.ts';
import { runRecover } from './kinds/recover.ts';
import { runForget, runGc, runRetention, runVerify } from './kinds/repository.ts';
import { runInPlace, runRestore } from './kinds/restore.ts';
import { runSnapshotCreate, runSnapshotDelete, runSnapshotRevert, runUndo } from './kinds/snapshots.ts';
import { readOrder } from './read-order.ts';
import { isWorthAnotherTry, mayComeAgain } from './retryable.ts';
import { RunJob, type WorkPlace } from './run-job.ts';
import { failureOf } from './run-outcome.ts';
import { WindowEnd } from './window-end.ts';

/** Does what was asked for, as the same command does at a terminal. Throws only what the queue has to judge: that it was told to stop. */
export async function executeRun(place: WorkPlace, context: RunContext, history: RunHistory): Promise<RunOutcome> {
  const { id: runId, kind, vmId, vmName, attempt, schedule } = context.run;
  const logger = place.logger.child({ runId });
  logger.info({ kind, vmId, vmName, policy: schedule?.policy, attempt }, 'run begins');
  const outcome = await outcomeOf(place, context, history).catch((error: unknown) => {
    logger.warn({ kind, error: serializeError(error) }, 'run let go before its end');
    throw error;
  });
  if (outcome.state === 'failed') logger.error({ kind, failure: outcome.failure, mayComeAgain: outcome.retry }, 'run failed');
  else logger.info({ kind, state: outcome.state, reason: outcome.report['reason'] }, 'run ends');
  return outcome;
}

async function outcomeOf(place: WorkPlace, context: RunContext, history: RunHistory): Promise<RunOutcome> {
  const { run } = context;
  try {
    const { order, request, policy } = readOrder(run);
    // Chosen before the worker had said where it runs.
    if (run.schedule !== undefined && run.vmId !== undefined && run.vmId === place.settings.proxyVm) return servesBackups();
    const breaker = await openBreaker(history, run, policy, context.now().getTime());
    if (breaker !== undefined) return leftAlone(breaker.failures, breaker.untilMs);
    using window = new WindowEnd(place.clock, context, order.stopAtMs);
    try {
      const job = new RunJob(place, context, order, policy, window.signal);
      await job.checkRequester();
      return await dispatch(job, request);
    } catch (error) {
      if (context.signal.aborted || !window.isOver) throw error;
      return windowEnded(error);
    }
  } catch (error) {
    if (context.signal.aborted) throw error;
    return { state: 'failed', failure: failureOf(error), retry: mayComeAgain(run.kind) && isWorthAnotherTry(error) };
  }
}

function dispatch(job: RunJob, request: RunRequest): Promise<RunOutcome> {
  switch (request.kind) {
    case 'backup':
      return runBackup(job, request);
    case 'restore':
      return runRestore(job, request);
    case 'restore-in-place':
      return runInPlace(job, request);
    case 'undo':
      return runUndo(job, request);
    case 'snapshot-create':
      return runSnapshotCreate(job, request);
    case 'snapshot-revert':
      return runSnapshotRevert(job, request);
    case 'snapshot-delete':
      return runSnapshotDelete(job, request);
    case 'drill':
      return runDrill(job, request);
    case 'forget':
      return runForget(job, request);
    case 'verify':
      return runVerify(job, request);
    case 'retention':
      return runRetention(job, request);
    case 'gc':
      return runGc(job);
    case 'recover':
      return runRecover(job);
  }
}

function leftAlone(failures: number, untilMs: number): RunOutcome {
  const until = new Date(untilMs).toISOString();
  const text = `the last ${failures} runs of this VM for this policy have failed: it is left alone until ${until}, unless somebody asks for a run`;
  return { state: 'skipped', report: { reason: { code: 'BREAKER_OPEN', text }, until } };
}

function servesBackups(): RunOutcome {
  return { state: 'skipped', report: { reason: { code: 'VM_IS_PROXY', text: 'it is the proxy VM that the worker runs in: no policy is for it' } } };
}

/** What went wrong on the way out is told too: it may have left something. */
function windowEnded(error: unknown): RunOutcome {
  const reason = { code: 'SERVER_WINDOW_ENDED', text: 'the window of the policy ended before the run was done: what it had begun was taken back' };
  return { state: 'cancelled', report: { reason, ...(!isAbort(error) && { problem: failureOf(error) }) } };
}
