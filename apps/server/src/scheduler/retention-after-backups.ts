import type { CallOptions, Logger } from '@onevault/base';
import type { RunRecord } from '@onevault/run-queue';
import type { RunService } from '../ports/run-service.ts';
import type { SettingsStore } from '../ports/settings-store.ts';

export interface RetentionDeps {
  readonly runs: Pick<RunService, 'start' | 'list' | 'onEnded'>;
  readonly settings: Pick<SettingsStore, 'current'>;
  readonly logger: Logger;
}

const PRIORITY = 30;

/** A policy's retention comes when the last backup of a slot has ended, and for each slot once. Before a slot's first backup the one before has its turn in any case. */
export class RetentionAfterBackups implements Disposable {
  readonly #deps: RetentionDeps;
  readonly #listener: Disposable;
  /** Slots of which a backup has ended, by policy: the newest one is enough, it does all. */
  readonly #ended = new Map<string, Date>();

  constructor(deps: RetentionDeps) {
    this.#deps = deps;
    this.#listener = deps.runs.onEnded((run) => this.#note(run));
  }

  /** Begins what is due. */
  async begin(options: CallOptions = {}): Promise<void> {
    for (const [policy, slot] of [...this.#ended]) {
      if (await this.#isUnderWay(policy)) continue;
      await this.beginFor(policy, slot, options);
      if (this.#ended.get(policy) === slot) this.#ended.delete(policy);
    }
  }

  async beginFor(name: string, slot: Date, options: CallOptions = {}): Promise<void> {
    const policy = this.#deps.settings.current().backupPolicies.find((one) => one.policy.name === name)?.policy;
    if (policy?.retention === undefined) return;
    const origin = { kind: 'schedule', name } as const;
    await this.#deps.runs.start({ kind: 'retention', repository: policy.repository, policy: name }, { ...options, origin, slot, priority: PRIORITY });
  }

  [Symbol.dispose](): void {
    this.#listener[Symbol.dispose]();
  }

  #note({ kind, schedule }: RunRecord): void {
    if (kind !== 'backup' || schedule === undefined) return;
    const before = this.#ended.get(schedule.policy);
    if (before === undefined || before < schedule.slot) this.#ended.set(schedule.policy, schedule.slot);
  }

  async #isUnderWay(policy: string): Promise<boolean> {
    for (const state of ['running', 'queued'] as const) {
      const [open] = await this.#deps.runs.list({ policy, state, kind: 'backup', limit: 1 });
      if (open !== undefined) return true;
    }
    return false;
  }
}
