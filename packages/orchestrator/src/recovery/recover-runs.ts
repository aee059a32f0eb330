import { type CallOptions, type Clock, type Logger, type SerializedError, serializeError } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import type { Attachers } from '../cloud/attachment-of-proxy.ts';
import type { UndoDeps } from '../cloud/object-kinds.ts';
import { markKept } from '../cloud/product-mark.ts';
import { removeObject } from '../cloud/remove-object.ts';
import { type CloudObject, describeObject } from '../cloud-object.ts';
import type { ClaimedJournal, JournalRecord, JournalStore, RunRecord } from '../journal.ts';
import { keptAs, keptSteps, openSteps, type Step } from '../open-steps.ts';
import { DEFAULT_PATIENCE, type Patience } from '../ports.ts';
import { hostOf } from '../process-identity.ts';
import { isCloudLost, setAside } from '../set-aside.ts';
import { type RetriedResidue, retryResidue } from './retry-residue.ts';

/** What recovering touches: the cloud, the proxy's devices and the state directory. No repository. */
export interface RecoverDeps extends Attachers {
  readonly cloud: OneApi;
  readonly journals: JournalStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly patience?: Patience;
}

export interface RecoverOptions extends CallOptions {
  /** Hosts that will not come back: their runs count as dead. */
  readonly goneHosts?: readonly string[];
}

/** One object of a dead run. */
export interface RecoveredObject {
  readonly object: CloudObject;
  readonly id: number | undefined;
  /** For a person. */
  readonly label: string;
  /** Why it is still there. */
  readonly error?: SerializedError;
}

/** What became of one dead run. */
export interface RecoveredRun {
  readonly runId: string;
  readonly kind: RunRecord['kind'];
  readonly about: string;
  readonly startedAt: string;
  /** recovered: nothing of it is left. residue: what is left cannot be removed yet, and is tried again at every later run. incomplete: try again. */
  readonly outcome: 'recovered' | 'residue' | 'incomplete';
  /** Taken away now. */
  readonly removed: readonly RecoveredObject[];
  /** Its product: it was finished when the process died, or nearly. */
  readonly kept: readonly RecoveredObject[];
  readonly left: readonly RecoveredObject[];
}

export interface RecoverReport {
  readonly runs: readonly RecoveredRun[];
  /** What earlier runs had to leave, and whether it has gone now. */
  readonly residue: readonly RetriedResidue[];
  /** OpenNebula stopped answering: what was not tried is still in the journals. */
  readonly cloudLost?: SerializedError;
}

/**
 * Brings the cloud back to what it was before runs that died: for each left journal of this endpoint, newest step first, what was made is taken away and
 * that is verified. Idempotent; a run that lives, or that somebody else recovers, is left to them; killed itself it goes on where it was. Then what could
 * not be removed when its run was over is tried again. Nothing is removed that the journal and the object's own name or mark do not both claim.
 */
export async function recoverRuns(deps: RecoverDeps, options: RecoverOptions = {}): Promise<RecoverReport> {
  const { cloud, clock } = deps;
  const undo: UndoDeps = { patience: DEFAULT_PATIENCE, ...deps };
  const runs: RecoveredRun[] = [];
  let cloudLost: unknown;
  const claimOptions = { ...options, isGone: (owner: string) => options.goneHosts?.includes(hostOf(owner)) ?? false };
  for await (const { runId, records } of deps.journals.unfinished(options)) {
    const run = runOf(records);
    if (run?.endpoint !== cloud.endpoint.href || cloudLost !== undefined) continue;
    const journal = await deps.journals.claim(runId, timeOf(clock), claimOptions);
    if (journal === undefined) continue;
    const recovery = new Recovery(deps, undo, run, journal);
    runs.push(await recovery.finish(options));
    cloudLost = recovery.cloudLost;
  }
  if (cloudLost !== undefined) return { runs, residue: [], cloudLost: serializeError(cloudLost) };
  return { runs, ...(await retryResidue(deps.journals.residue, undo, options)) };
}

function runOf(records: readonly JournalRecord[]): RunRecord | undefined {
  return records.find((record) => record.type === 'run');
}

function timeOf(clock: Clock): string {
  return clock.now().toISOString();
}

/** One dead run, its journal in our hands. */
class Recovery {
  cloudLost: unknown;
  readonly #deps: RecoverDeps;
  readonly #undo: UndoDeps;
  readonly #run: RunRecord;
  readonly #journal: ClaimedJournal;
  readonly #removed: RecoveredObject[] = [];

  constructor(deps: RecoverDeps, undo: UndoDeps, run: RunRecord, journal: ClaimedJournal) {
    this.#deps = deps;
    this.#undo = undo;
    this.#run = run;
    this.#journal = journal;
  }

  async finish(options: CallOptions): Promise<RecoveredRun> {
    const { records } = this.#journal;
    const left = openSteps(records);
    for (const step of left.toReversed()) {
      if (this.cloudLost !== undefined || options.signal?.aborted === true) break;
      if (await this.#takeBack(step)) left.splice(left.indexOf(step), 1);
    }
    const kept = keptSteps(records);
    const marked = await this.#mark(kept);
    const outcome = await this.#close(left, marked && records.every((record) => record.type !== 'unknown'));
    options.signal?.throwIfAborted();
    const { runId, kind, about, time } = this.#run;
    return { runId, kind, about, startedAt: time, outcome, removed: this.#removed, kept: kept.map(recovered), left: left.map(recovered) };
  }

  /** Answers whether it is gone. */
  async #takeBack(step: Step): Promise<boolean> {
    const { runId } = this.#run;
    try {
      const wasThere = await removeObject(this.#undo, runId, step.object, step.id);
      if (wasThere) this.#removed.push(recovered(step));
      await this.#journal.append({ type: 'undone', time: timeOf(this.#deps.clock), step: step.number });
      return true;
    } catch (error) {
      step.failure = error;
      if (isCloudLost(error)) this.cloudLost = error;
      this.#deps.logger.warn({ runId, object: step.object, error: serializeError(error) }, 'not recovered');
      return false;
    }
  }

  /** The run died between keeping its product and saying so on it. */
  async #mark(kept: readonly Step[]): Promise<boolean> {
    if (this.cloudLost !== undefined) return false;
    try {
      await markKept(this.#deps.cloud, kept, keptAs(this.#journal.records));
      return true;
    } catch (error) {
      if (isCloudLost(error)) this.cloudLost = error;
      this.#deps.logger.warn({ runId: this.#run.runId, error: serializeError(error) }, 'product not marked');
      return false;
    }
  }

  /** Removes the journal when it has nothing left to say, else leaves it to whoever comes next. */
  async #close(left: readonly Step[], understood: boolean): Promise<RecoveredRun['outcome']> {
    const origin = { runId: this.#run.runId, endpoint: this.#run.endpoint, since: timeOf(this.#deps.clock) };
    if (understood && (await setAside(this.#deps.journals.residue, origin, left))) {
      await this.#journal.finish();
      return left.length === 0 ? 'recovered' : 'residue';
    }
    await this.#journal.release(timeOf(this.#deps.clock));
    return 'incomplete';
  }
}

function recovered({ object, id, failure }: Step): RecoveredObject {
  return { object, id, label: describeObject(object, id), ...(failure !== undefined && { error: serializeError(failure) }) };
}
