import {
  applyRetention,
  type Damage,
  planRetention,
  type Repository,
  type RetentionOutcome,
  type VerifyMode,
  type VerifyReport,
} from '@onevault/backup-format';
import { type Clock, errorCode, serializeError } from '@onevault/base';
import type { RunOutcome } from '@onevault/run-queue';
import { ServerError } from '../../errors.ts';
import type { RequestOf } from '../../requests/restore-requests.ts';
import type { RunJob } from '../run-job.ts';
import { doneOrDegraded } from '../run-outcome.ts';

/** Of a sample, where nobody says so. */
const SAMPLE_PERCENT = 5;
/** Of what was found, so much is told; all of it is in the repository's record. */
const MAX_TOLD = 100;
const PROGRESS_MS = 5000;

export async function runForget(job: RunJob, { pointId }: RequestOf<'forget'>): Promise<RunOutcome> {
  await using repository = await job.openRepository();
  try {
    await repository.forgetPoint(pointId, job.options);
  } catch (error) {
    // An attempt before this one did it, and was not there any more to say so.
    if (errorCode(error) !== 'REPO_POINT_NOT_FOUND' || job.context.run.attempt === 1) throw error;
  }
  return doneOrDegraded({ kind: 'forget', pointId }, job, []);
}

export async function runVerify(job: RunJob, request: RequestOf<'verify'>): Promise<RunOutcome> {
  const { clock } = job.place;
  await using repository = await job.openRepository();
  const tell = now(job, clock);
  const mode: VerifyMode = request.mode === 'sample' ? { samplePercent: request.percent ?? SAMPLE_PERCENT } : request.mode;
  const { report, damages } = await readThrough(repository, mode, job, tell);
  if (report.damaged === 0) return doneOrDegraded({ kind: 'verify', ...report }, job, []);
  if (report.damaged === report.harmless) return doneOrDegraded({ kind: 'verify', ...report, damages }, job, [], 1);
  const points = new Set(damages.flatMap(({ affects }) => affects.map(({ pointId }) => pointId)));
  return {
    state: 'failed',
    failure: {
      code: 'SERVER_DAMAGE_FOUND',
      message: `${report.damaged} damaged objects in ${request.repository}, in ${points.size} restore points`,
      hint: 'the next backups store again what they can still read; the record of this check names every byte range',
      points: [...points].slice(0, MAX_TOLD),
    },
    retry: false,
  };
}

async function readThrough(
  repository: Repository,
  mode: VerifyMode,
  job: RunJob,
  tell: (data: object) => void,
): Promise<{ report: VerifyReport; damages: Damage[] }> {
  const damages: Damage[] = [];
  const findings = repository.verify({ ...job.options, mode, onProgress: tell });
  for (;;) {
    const next = await findings.next();
    if (next.done === true) return { report: next.value, damages };
    const { key, error } = next.value;
    if (damages.length >= MAX_TOLD) continue;
    damages.push(next.value);
    job.ledger.tell('repository.damage', { key, error: serializeError(error) });
  }
}

export async function runGc(job: RunJob): Promise<RunOutcome> {
  await using repository = await job.openRepository();
  const report = await repository.collectGarbage({ ...job.options, onProgress: now(job, job.place.clock) });
  return doneOrDegraded({ kind: 'gc', ...report }, job, []);
}

/** Forgets what the policy does not keep of what was taken for it; everything else in the repository is not looked at. */
export async function runRetention(job: RunJob, request: RequestOf<'retention'>): Promise<RunOutcome> {
  const { policy } = job;
  if (policy?.kind !== 'backup' || policy.retention === undefined) {
    throw new ServerError({
      code: 'SERVER_REQUEST_INVALID',
      message: `policy ${request.policy} has no retention`,
      hint: 'without rules nothing is ever forgotten',
    });
  }
  await using repository = await job.openRepository();
  const wants = (point: { readonly annotations: Readonly<Record<string, unknown>> }): boolean => point.annotations['policy'] === policy.name;
  const plan = await planRetention(repository, policy.retention, job.place.clock.now(), { ...job.options, wants });
  const counts: Record<RetentionOutcome['kind'], number> = { forgotten: 0, kept: 0, gone: 0, refused: 0 };
  for await (const outcome of applyRetention(repository, plan, job.options)) {
    counts[outcome.kind]++;
    if (outcome.kind === 'refused')
      job.ledger.warn('RETENTION_REFUSED', `nothing of ${outcome.group} was forgotten: ${outcome.unreadable.map(({ key }) => key).join(', ')} cannot be read`);
    else job.ledger.tell(`point.${outcome.kind}`, { group: outcome.group, pointId: outcome.pointId });
  }
  await repository.marks.sweep(job.options);
  return doneOrDegraded({ kind: 'retention', policy: policy.name, ...counts }, job, [], counts.refused);
}

/** Tells at most once in five seconds. */
function now(job: RunJob, clock: Clock): (progress: object) => void {
  let toldMs = Number.NEGATIVE_INFINITY;
  return (progress) => {
    if (clock.monotonicMs() - toldMs < PROGRESS_MS) return;
    toldMs = clock.monotonicMs();
    job.ledger.tell('repository.progress', progress);
  };
}
