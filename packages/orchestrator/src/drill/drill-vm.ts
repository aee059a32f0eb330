import type { RestorePoint } from '@onevault/backup-format';
import { type CallOptions, errorCode, isAbort, serializeError } from '@onevault/base';
import type { Vm } from '@onevault/one-client';
import { DRILL_MARK, newRunId } from '../names.ts';
import { type BuiltVm, buildVm } from '../restore.ts';
import { assertRestorable, checkRestore } from '../restore-checks/check-restore.ts';
import { planRestore, type RestorePlan } from '../restore-plan.ts';
import { inRun, type Run } from '../run.ts';
import { isCloudLost } from '../set-aside.ts';
import { awaitLife, type Life, probeFacts } from './await-life.ts';
import type { SerialConsole } from './console-port.ts';
import type { DrillDeps, DrillFailure, DrillReport, DrillRequest, DrillStage } from './drill-model.ts';
import { drillSpec } from './drill-record.ts';
import { type DrillPlan, drillRestore, planDrill } from './plan-drill.ts';
import { serialDevice } from './serial-device.ts';

/** How far a drill came, and what it found there. */
interface Attempt {
  stage: DrillStage;
  built?: BuiltVm;
  life?: Life;
  error?: unknown;
}

/**
 * Restores a point to a throw-away VM, waits for a sign of life, measures, takes everything away again, and leaves a record in the repository. A point that
 * cannot be restored, and a guest that does not live, make the drill fail: that is its result, not an error of it. What it throws says that nothing was
 * found out: JOB_DRILL_REFUSED, a choice that OpenNebula would refuse, an OpenNebula that is gone, Ctrl-C. Nothing it makes is ever kept, and to whoever
 * finds it without a journal it looks like the restore of a dead run.
 */
export async function drillVm(deps: DrillDeps, request: DrillRequest, options: CallOptions = {}): Promise<DrillReport> {
  const plan = await planDrill(deps, request, options);
  const id = newRunId(deps.clock.now(), deps.randomBytes);
  const facts = { id, kind: 'drill', about: `point ${plan.point.id} of VM ${plan.saved.id} ${plan.saved.name}` } as const;
  return inRun(deps, facts, options, (run) => drill(deps, run, plan, request, options));
}

async function drill(deps: DrillDeps, run: Run, plan: DrillPlan, request: DrillRequest, options: CallOptions): Promise<DrillReport> {
  const startedMs = run.clock.monotonicMs();
  const startedAt = run.clock.now().toISOString();
  run.emit({ type: 'run.started', kind: 'drill', vmId: plan.saved.id, vmName: plan.saved.name, pointId: plan.point.id });
  for (const note of plan.notes) run.warn(note.code, note.message);
  const attempt: Attempt = { stage: 'plan' };
  try {
    await attemptDrill(deps, run, plan, request, attempt, options);
  } catch (error) {
    if (isAbort(error) || options.signal?.aborted === true || isCloudLost(error) || !isFinding(attempt.stage, error)) throw error;
    attempt.error = error;
  }
  const lifeAtMs = run.elapsedMs(startedMs);
  await run.unwind();
  const report = {
    kind: 'drill' as const,
    runId: run.id,
    pointId: plan.point.id,
    group: plan.point.group,
    sourceVmId: plan.saved.id,
    vmName: plan.saved.name,
    ...resultOf(attempt),
    network: request.network,
    need: request.need,
    measures: measuresOf(plan.point, attempt, lifeAtMs),
    startedAt,
    finishedAt: run.clock.now().toISOString(),
    durationMs: run.elapsedMs(startedMs),
    notes: plan.notes,
    warnings: run.warnings,
    residue: run.residue,
  };
  return { ...report, recordId: await keepRecord(deps, run, report) };
}

async function attemptDrill(deps: DrillDeps, run: Run, plan: DrillPlan, request: DrillRequest, attempt: Attempt, options: CallOptions): Promise<void> {
  const console = request.signs.some(({ kind }) => kind === 'console') ? await deps.consoles?.open(options) : undefined;
  run.use(console);
  const name = drillName(plan.saved.name, run.id);
  const attributes = { [DRILL_MARK]: plan.point.id, ...(console && serialDevice(plan.saved, console)) };
  const restoreRequest = drillRestore(request, plan.saved, name, attributes);
  const restorePlan = await planRestore(deps, restoreRequest, options);
  // A cloud without room says nothing of the point: no drill, and no record of one.
  assertRestorable(await checkRestore(deps, restorePlan, restoreRequest, options));
  attempt.stage = 'restore';
  attempt.built = await build(deps, run, restorePlan, restoreRequest, attempt, options);
  attempt.stage = 'life';
  await run.step('await-life', { object: name }, async () => {
    attempt.life = await live(deps, run, attempt.built?.vm, request, plan, console, options);
    if (attempt.life.error !== undefined) throw attempt.life.error;
  });
}

function build(
  deps: DrillDeps,
  run: Run,
  plan: RestorePlan,
  request: Parameters<typeof planRestore>[1],
  attempt: Attempt,
  options: CallOptions,
): Promise<BuiltVm> {
  const onWritten = (): void => {
    attempt.stage = 'boot';
  };
  return buildVm({ deps, run, plan, request, options, onWritten });
}

async function live(
  deps: DrillDeps,
  run: Run,
  vm: Vm | undefined,
  request: DrillRequest,
  plan: DrillPlan,
  console: SerialConsole | undefined,
  options: CallOptions,
): Promise<Life> {
  if (vm === undefined) throw new TypeError('there is no VM to wait for');
  const facts = probeFacts(vm, { ONEVAULT_DRILL_POINT: plan.point.id, ONEVAULT_DRILL_RUN: run.id, ONEVAULT_DRILL_SOURCE_VM_ID: String(plan.saved.id) });
  return awaitLife({ cloud: run.cloud, console, probes: deps.probes }, vm, request, facts, options);
}

/** Before anything was made, only damage of the repository says something of the point; a datastore that does not exist is a mistake of whoever asked. */
function isFinding(stage: DrillStage, error: unknown): boolean {
  const code = errorCode(error) ?? '';
  return stage !== 'plan' || code.startsWith('REPO_') || code === 'JOB_METADATA_INVALID';
}

function resultOf({ stage, life, error }: Attempt): Pick<DrillReport, 'outcome' | 'failure' | 'signs'> {
  const failure: DrillFailure | undefined = error === undefined ? undefined : { stage, error: serializeError(error) };
  return { outcome: failure === undefined ? 'passed' : 'failed', failure, signs: life?.signs ?? [] };
}

function measuresOf(point: RestorePoint, { built, life }: Attempt, lifeAtMs: number): DrillReport['measures'] {
  const disks = built?.images.flatMap(({ report }) => report ?? []) ?? [];
  return {
    writeMs: built?.writeMs,
    bootMs: built?.bootMs,
    lifeMs: life?.lifeMs,
    rtoMs: life?.alive === true ? lifeAtMs : undefined,
    restoredBytes: built === undefined ? 0 : point.stats.sizeBytes,
    writtenBytes: disks.reduce((sum, { writtenBytes }) => sum + writtenBytes, 0),
  };
}

/** Evidence that is lost makes no drill undone: the report says so. */
async function keepRecord(deps: DrillDeps, run: Run, report: Omit<DrillReport, 'recordId'>): Promise<string | undefined> {
  try {
    const { id } = await run.step('record', {}, () => deps.repository.drills.record(drillSpec(report)));
    return id;
  } catch (error) {
    run.warn('DRILL_NOT_RECORDED', `the record of the drill could not be written: ${serializeError(error).message}`);
    return undefined;
  }
}

const NAME_CHARS = 60;

/** Ours at first sight, and of one VM among many; short enough for the `-disk-N` of its images. */
function drillName(vmName: string, runId: string): string {
  return `onevault-drill-${runId}-${vmName.replace(/[^\p{L}\p{N}._ -]/gu, '_').slice(0, NAME_CHARS)}`;
}
