import { randomBytes } from 'node:crypto';
import type { Repository } from '@onevault/backup-format';
import { type Clock, errorCode, type Logger } from '@onevault/base';
import { type Composition, compose, lockVm, type Settings } from '@onevault/composition';
import type { OneApi } from '@onevault/one-client';
import { type ControlDeps, type JobDeps, type JournalStore, mirroredJournals } from '@onevault/orchestrator';
import type { Policy } from '@onevault/policies';
import type { RunContext } from '@onevault/run-queue';
import type { Redactor } from '../logs/redactor.ts';
import { runLogger } from '../logs/run-log.ts';
import type { WorkOrder } from '../ports/work-order.ts';
import { repositorySettings } from './repository-settings.ts';
import { checkRequester } from './requester.ts';
import { plain, RunLedger } from './run-ledger.ts';

/** What a worker has: the settings of its process, and nothing of any run. */
export interface WorkPlace {
  /** The repository in it is nobody's: each run brings its own. */
  readonly settings: Settings;
  readonly secretsDirectory: string;
  /** For commands and probes. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of what runs keep of their log. */
  readonly redactor: Redactor;
  /** Journals of this machine that nobody else will see to. */
  readonly inNobodysCare: (journals: JournalStore) => Promise<JournalStore>;
  /** Threads that read and compare one disk; default: as the workflows have it. */
  readonly scanWorkers?: number;
}

/** One attempt of a run: what was asked for, and what it may use. */
export class RunJob {
  readonly place: WorkPlace;
  readonly context: RunContext;
  readonly order: WorkOrder;
  readonly policy: Policy | undefined;
  readonly signal: AbortSignal;
  readonly ledger: RunLedger;
  readonly compose: Composition;

  constructor(place: WorkPlace, context: RunContext, order: WorkOrder, policy: Policy | undefined, signal: AbortSignal) {
    this.place = place;
    this.context = context;
    this.order = order;
    this.policy = policy;
    this.signal = signal;
    this.ledger = new RunLedger(context, place.clock);
    const { settings, secretsDirectory, redactor, clock } = place;
    const logger = runLogger(place.logger, { runId: context.run.id, redactor, emit: ({ type, data }) => context.event(type, data) });
    const own = order.repository === undefined ? settings : repositorySettings(settings, secretsDirectory, order.repository);
    this.compose = compose(own, logger, clock);
  }

  get options(): { readonly signal: AbortSignal } {
    return { signal: this.signal };
  }

  get scanning(): { readonly scanWorkers?: number } {
    const { scanWorkers } = this.place;
    return scanWorkers === undefined ? {} : { scanWorkers };
  }

  /** Cloud, proxy, repository and journal, as for the same command at a terminal; the journal is also where other workers find it. */
  async openJobs(): Promise<JobDeps & AsyncDisposable> {
    const deps = await this.compose.openJobs(this.ledger.emit, this.options);
    return { ...deps, journals: this.#mirrored(deps.journals), beforeCommit: () => this.context.prove() };
  }

  async openControl(): Promise<ControlDeps & AsyncDisposable> {
    const deps = await this.compose.openControl(this.ledger.emit, this.options);
    return { ...deps, journals: this.#mirrored(deps.journals) };
  }

  /** Before anything is done. Throws SERVER_FORBIDDEN. */
  async checkRequester(): Promise<void> {
    const { order, context, options } = this;
    if (order.owner === undefined) return;
    await using cloud = await this.compose.openCloud(options);
    await checkRequester(cloud, order, context.run, options);
  }

  openRepository(): Promise<Repository> {
    return this.compose.openRepository(this.options);
  }

  /** The queue lets one run at a VM; this keeps out whoever works at a terminal with the same state directory. */
  lockVm(cloud: OneApi, vmId: number): Promise<AsyncDisposable> {
    const { settings, clock } = this.place;
    return lockVm({ stateDir: settings.stateDir, journals: this.compose.journals(), clock, randomBytes }, cloud.endpoint, vmId, this.options);
  }

  #mirrored(journals: JournalStore): JournalStore {
    const { context } = this;
    return mirroredJournals(journals, async (copies) => {
      try {
        await context.note(plain({ journals: copies }));
      } catch (error) {
        // A run that is ending in order goes on with its own journal: what it does now is what it must not leave half done. One that is another worker's does nothing more.
        if (!context.signal.aborted || errorCode(error) === 'QUEUE_CLAIM_LOST') throw error;
      }
    });
  }
}
