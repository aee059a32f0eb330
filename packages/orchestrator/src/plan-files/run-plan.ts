import { type CallOptions, isAbort, serializeError } from '@onevault/base';
import { vmId } from '@onevault/one-client';
import type { CloudDeps } from '../cloud/cloud-deps.ts';
import { awaitLife, type Life, probeFacts } from '../drill/await-life.ts';
import type { JobEvent } from '../events.ts';
import { DEFAULT_PATIENCE } from '../ports.ts';
import type { RestoreReport } from '../report.ts';
import { restoreVm } from '../restore.ts';
import { isCloudLost } from '../set-aside.ts';
import { nameTaken } from './check-plan.ts';
import type { PlanDeps, PlanEntry, PlanOutcome, PlanReport, PlanStatus, ResolvedPlan } from './plan-model.ts';
import { findStanding, type StandingVm } from './standing-vms.ts';
import { undoVm } from './undo-vm.ts';

export interface RunPlanOptions extends CallOptions {
  /** Told of each VM when it is decided, and again when it is undone. */
  readonly onOutcome?: (outcome: PlanOutcome) => void;
}

/**
 * Brings the VMs of a plan back, one after another, each by a run of its own that leaves a whole VM or nothing. What an earlier run of the plan restored stays
 * and is only waited for: a plan that was killed, stopped or cancelled is taken up by running it again. Throws JOB_NAME_TAKEN before anything is made; what
 * happens to single VMs is in the report. Ctrl-C ends it between or in the VMs; what is there stays.
 */
export async function runPlan(deps: PlanDeps, plan: ResolvedPlan, options: RunPlanOptions = {}): Promise<PlanReport> {
  const names = new Set(plan.entries.map(({ request }) => request.name));
  const { standing, others } = await findStanding(deps.cloud, plan.name, names, options);
  const taken = plan.entries.find(({ request }) => others.has(request.name) && !standing.has(request.name));
  if (taken !== undefined) throw nameTaken(taken);
  return new PlanRun(deps, plan, standing, options).run();
}

const IS_THERE: ReadonlySet<PlanStatus> = new Set(['restored', 'present', 'silent']);
const LIVES: ReadonlySet<PlanStatus> = new Set(['restored', 'present']);

class PlanRun {
  readonly #deps: PlanDeps;
  readonly #cloud: CloudDeps;
  readonly #plan: ResolvedPlan;
  readonly #standing: ReadonlyMap<string, StandingVm>;
  readonly #options: RunPlanOptions;
  readonly #outcomes = new Map<string, PlanOutcome>();
  readonly #residue = new Set<string>();
  #cloudLost = false;

  constructor(deps: PlanDeps, plan: ResolvedPlan, standing: ReadonlyMap<string, StandingVm>, options: RunPlanOptions) {
    const emit = (event: JobEvent): void => {
      if (event.type === 'run.finished') for (const object of event.residue) this.#residue.add(object);
      deps.emit(event);
    };
    this.#deps = { ...deps, emit };
    this.#cloud = { cloud: deps.cloud, clock: deps.clock, patience: deps.patience ?? DEFAULT_PATIENCE };
    this.#plan = plan;
    this.#standing = standing;
    this.#options = options;
  }

  async run(): Promise<PlanReport> {
    const startedMs = this.#deps.clock.monotonicMs();
    let failed = false;
    for (const entry of this.#plan.entries) {
      const outcome: PlanOutcome =
        this.#cloudLost || (failed && this.#plan.onFailure !== 'continue') ? outcomeOf(entry, 'not-reached') : await this.#take(entry);
      failed ||= !LIVES.has(outcome.status);
      this.#decide(outcome);
    }
    if (failed && this.#plan.onFailure === 'undo' && !this.#cloudLost) await this.#undo();
    const vms = this.#plan.entries.flatMap(({ key }) => this.#outcomes.get(key) ?? []);
    const isUndone = failed && this.#plan.onFailure === 'undo' && vms.every(({ status }) => !IS_THERE.has(status) && status !== 'undo-failed');
    const durationMs = Math.round(this.#deps.clock.monotonicMs() - startedMs);
    return { name: this.#plan.name, outcome: failed ? (isUndone ? 'undone' : 'incomplete') : 'complete', vms, durationMs, residue: [...this.#residue] };
  }

  #decide(outcome: PlanOutcome): void {
    this.#outcomes.set(outcome.key, outcome);
    this.#options.onOutcome?.(outcome);
  }

  async #take(entry: PlanEntry): Promise<PlanOutcome> {
    const missing = entry.after.filter((key) => !LIVES.has(this.#outcomes.get(key)?.status ?? 'failed'));
    if (missing.length > 0) return outcomeOf(entry, 'blocked', { error: serializeError(new Error(`it comes after ${missing.join(', ')}`)) });
    const present = this.#standing.get(entry.request.name)?.vm;
    let restore: RestoreReport | undefined;
    let id: number | undefined = present?.id;
    try {
      if (present === undefined) {
        restore = await restoreVm(this.#deps, entry.request, this.#options);
        id = restore.vmId;
      }
      const life = await this.#await(entry, vmId(id ?? -1));
      const status = life.alive ? (present === undefined ? 'restored' : 'present') : 'silent';
      return outcomeOf(entry, status, { vmId: id, restore, signs: life.signs, ...(life.error && { error: serializeError(life.error) }) });
    } catch (error) {
      if (isAbort(error) || this.#options.signal?.aborted === true) throw error;
      this.#cloudLost ||= isCloudLost(error);
      return outcomeOf(entry, id === undefined ? 'failed' : 'silent', { vmId: id, restore, error: serializeError(error) });
    }
  }

  async #await(entry: PlanEntry, id: ReturnType<typeof vmId>): Promise<Life> {
    const { wait, point } = entry;
    if (wait === undefined) return { alive: true, signs: [], error: undefined, lifeMs: undefined };
    const { for: signs = [], need, limit: limitMs, delay } = wait;
    let life: Life = { alive: true, signs: [], error: undefined, lifeMs: undefined };
    if (signs.length > 0) {
      const vm = await this.#deps.cloud.vm(id, this.#options);
      const facts = probeFacts(vm, { ONEVAULT_PLAN: this.#plan.name, ONEVAULT_PLAN_VM: entry.key, ONEVAULT_POINT: point.id });
      life = await awaitLife({ cloud: this.#cloud, console: undefined, probes: this.#deps.probes }, vm, { signs, need, limitMs }, facts, this.#options);
    }
    if (life.alive && delay !== undefined) await this.#deps.clock.sleep(delay, this.#options);
    return life;
  }

  /** All or nothing was asked for: the last one first, those of earlier runs of the plan too. */
  async #undo(): Promise<void> {
    for (const { key, request } of this.#plan.entries.toReversed()) {
      const outcome = this.#outcomes.get(key);
      if (outcome === undefined || !(IS_THERE.has(outcome.status) || this.#standing.has(request.name))) continue;
      try {
        const standing = this.#standing.get(request.name) ?? (await this.#read(outcome));
        if (standing !== undefined) await undoVm(this.#cloud, standing);
        this.#decide({ ...outcome, status: 'undone' });
      } catch (error) {
        this.#decide({ ...outcome, status: 'undo-failed', error: serializeError(error) });
      }
    }
  }

  async #read({ vmId: id, restore }: PlanOutcome): Promise<StandingVm | undefined> {
    if (id === undefined || restore === undefined) return undefined;
    return { vm: await this.#deps.cloud.vm(vmId(id)), runId: restore.runId };
  }
}

function outcomeOf(entry: PlanEntry, status: PlanStatus, facts: Partial<PlanOutcome> = {}): PlanOutcome {
  const { key, request, point } = entry;
  return { key, vmName: request.name, pointId: point.id, status, vmId: undefined, restore: undefined, signs: [], error: undefined, ...facts };
}
