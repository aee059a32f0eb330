import type { RunRequest } from '@onevault/api';
import type { Repository } from '@onevault/backup-format';
import { type CallOptions, errorCode } from '@onevault/base';
import { compose } from '@onevault/composition';
import { type OneApi, vmId } from '@onevault/one-client';
import {
  groupOf,
  hasKept,
  type JournalCopy,
  type JournalStore,
  parseJournalCopies,
  type RecoveredRun,
  recoverRuns,
  rememberedJournals,
} from '@onevault/orchestrator';
import type { RunOutcome, RunRecord } from '@onevault/run-queue';
import { ServerError } from '../errors.ts';
import type { WorkOrder } from '../ports/work-order.ts';
import { giveAway } from './give-away.ts';
import { readOrder } from './read-order.ts';
import { repositorySettings } from './repository-settings.ts';
import { isWorthAnotherTry, mayComeAgain } from './retryable.ts';
import type { WorkPlace } from './run-job.ts';
import { failureOf } from './run-outcome.ts';

/**
 * Takes back what a dead worker's attempt left in the cloud, as its journals say, of which the queue has a copy. Answers an outcome when the dead one had done its work,
 * or when the run must not be done again by itself, or cannot be; undefined when it is to be done again. Throws when something is still there that may go later. What was
 * left goes first, whatever is wrong with the order: a run that nobody understands has left its snapshots all the same.
 */
export async function cleanUpAfter(place: WorkPlace, dead: RunRecord, options: CallOptions): Promise<RunOutcome | undefined> {
  const copies = parseJournalCopies(dead.notes['journals']);
  await using deps = await compose(place.settings, place.logger, place.clock).openRecovery(options);
  const journals = rememberedJournals(copies, { endpoint: deps.cloud.endpoint, owner: deps.journals.owner, residue: deps.journals.residue });
  const report = await recoverRuns({ ...deps, journals }, options);
  if (journals.left.size > 0) throw notYet(dead, report.runs);
  await dropOwn(deps.journals, copies, place);
  place.logger.warn({ runId: dead.id, worker: dead.worker, recovered: report.runs }, 'cleaned up after a dead worker');
  try {
    return (await doneBefore(place, deps.cloud, { dead, ...readOrder(dead), copies }, options)) ?? (mayComeAgain(dead.kind) ? undefined : lost(dead));
  } catch (error) {
    options.signal?.throwIfAborted();
    if (isWorthAnotherTry(error)) throw error;
    // A repository that is gone, a secret that is not here: it would be asked for for ever, and the run could not even be cancelled.
    return dead.cancelRequested ? undefined : { state: 'failed', failure: failureOf(error), retry: false };
  }
}

/** Its machine may be ours: what these journals say has been taken back. */
async function dropOwn(own: JournalStore, copies: readonly JournalCopy[], { clock }: WorkPlace): Promise<void> {
  for (const { runId } of copies) {
    const claimed = await own.claim(runId, clock.now().toISOString());
    await claimed?.finish();
  }
}

async function doneBefore(
  place: WorkPlace,
  cloud: OneApi,
  {
    dead,
    order,
    request,
    copies,
  }: { readonly dead: RunRecord; readonly order: WorkOrder; readonly request: RunRequest; readonly copies: readonly JournalCopy[] },
  options: CallOptions,
): Promise<RunOutcome | undefined> {
  const runIds = copies.map(({ runId }) => runId);
  if (copies.some(hasKept)) {
    const notGiven = request.kind === 'restore' && order.owner !== undefined ? await giveAway(cloud, copies, order.owner, options) : [];
    const told = [...SAID_BY_NOBODY.told, ...notGiven.map((note) => ({ ...note }))];
    return { state: notGiven.length > 0 ? 'degraded' : 'succeeded', report: { kind: request.kind, runIds, told } };
  }
  if (request.kind !== 'backup' || order.repository === undefined || runIds.length === 0) return undefined;
  const pointId = await committedPoint(place, cloud, order.repository, { id: dead.id, vm: request.vmId, runIds }, options);
  return pointId === undefined ? undefined : { state: 'succeeded', report: { kind: 'backup', pointId, runIds, ...SAID_BY_NOBODY } };
}

const SAID_BY_NOBODY = { told: [{ code: 'WORKER_LOST', text: 'its worker was not heard of again once it was done: of its report nothing is known' }] };

/**
 * A manifest is the last thing that is written: one that names the run says that it was done. The lease that the run writes under is ended first: a worker that is cut
 * off may be alive and about to commit, and two restore points of one run must not be. A manifest whose lease still stood is one that its writer has not looked after
 * yet, and will take back when it learns that the lease is gone: it is taken back here, so that the run does not count as done by what may go. See docs/adr/0093.
 */
async function committedPoint(
  { settings, secretsDirectory, logger, clock }: WorkPlace,
  cloud: OneApi,
  repository: NonNullable<WorkOrder['repository']>,
  of: { readonly id: string; readonly vm: number; readonly runIds: readonly string[] },
  options: CallOptions,
): Promise<string | undefined> {
  const vm = await cloud.vm(vmId(of.vm), options).catch((error: unknown) => {
    if (errorCode(error) === 'ONE_NO_EXISTS') return undefined;
    throw error;
  });
  if (vm === undefined) return undefined;
  const group = groupOf(vm);
  await using open = await compose(repositorySettings(settings, secretsDirectory, repository), logger, clock).openRepository(options);
  let ended = 0;
  for (const runId of of.runIds) ended += await open.endRun(group, runId, options);
  const committed = await pointOf(open, group, of.runIds, options);
  if (committed === undefined || ended === 0) return committed;
  logger.warn({ runId: of.id, pointId: committed }, 'a restore point that its worker had not finished with is taken back; the run is done again');
  await open.forgetPoint(committed, { ...options, evenLast: true });
  return undefined;
}

async function pointOf(repository: Repository, group: string, runIds: readonly string[], options: CallOptions): Promise<string | undefined> {
  for await (const listed of repository.points({ group }, options)) if (listed.kind === 'point' && runIds.includes(listed.point.runId)) return listed.point.id;
  return undefined;
}

function notYet(dead: RunRecord, runs: readonly RecoveredRun[]): ServerError {
  const left = runs.flatMap((run) => run.left.map(({ label, error }) => (error === undefined ? label : `${label}: ${error.message}`)));
  return new ServerError({
    code: 'SERVER_WORKER_LOST',
    message: `what worker ${dead.worker} left of run ${dead.id} cannot be taken away yet: ${left.join('; ') || 'OpenNebula does not answer'}`,
    retryable: true,
    hint: 'it is tried again in a minute',
  });
}

function lost({ id, worker, kind, attempt }: RunRecord): RunOutcome {
  const failure = {
    code: 'SERVER_WORKER_LOST',
    message: `worker ${worker} was not heard of again while it did ${kind} (run ${id}, attempt ${attempt}); what it had begun was taken back`,
    hint: 'see how the VM is, and ask for it again: what stops a VM is not done twice by itself',
  };
  return { state: 'failed', failure, retry: false };
}
