import type { RunRequest } from '@onevault/api';
import { type Clock, type LogFields, type Logger, silentLogger } from '@onevault/base';
import { compilePolicy, type Policy, parsePolicy } from '@onevault/policies';
import { vmFacts } from '@onevault/policies/testing';
import type { RunRecord } from '@onevault/run-queue';
import type { InventoryVm } from '../../src/ports/inventory.ts';
import type { StartOptions } from '../../src/ports/run-service.ts';
import type { ServerSettings } from '../../src/ports/settings-store.ts';
import { type HandledSlots, slotKeyText } from '../../src/scheduler/handled-slots.ts';
import { Scheduler, type SchedulerDeps } from '../../src/scheduler/scheduler.ts';
import { runRecord } from '../../testing/index.ts';
import { NO_SETTINGS } from '../catalog/catalog-lab.ts';

const MINUTE = 60_000;
const NOBODY = { use: false, manage: false, admin: false };

export function policyDocument(overrides: object = {}): object {
  return { kind: 'backup', name: 'nightly', repository: 'main', timezone: 'UTC', select: { include: ['*'] }, schedules: [{ at: '22:00' }], ...overrides };
}

export function vmOf(id: number, attributes: Readonly<Record<string, string>> = {}, exists = true): InventoryVm {
  const owned = { uid: 0, gid: 0, permissions: { owner: NOBODY, group: NOBODY, other: NOBODY }, lock: undefined };
  return { facts: vmFacts({ id, attributes }), owned, clusterId: 0, hostId: 0, datastoreIds: [], diskCount: 1, exists };
}

export interface Begun {
  readonly request: RunRequest;
  readonly slot: string;
  readonly options: StartOptions;
}

/** A scheduler whose clock is turned by hand, with a queue that knows each slot once, as the real one does. */
export class ScheduleStage {
  wallMs: number;
  monotonicMs = 0;
  vms: InventoryVm[] = [vmOf(1)];
  settings: ServerSettings = NO_SETTINGS;
  refreshedAt: Date | undefined = new Date(0);
  refreshes = 0;
  /** A worker has said in which VM it runs, and nobody has looked since. */
  hasNewProxy = false;
  cloudAway = false;
  /** Called before a run is begun; may throw. */
  onStart: (request: RunRequest) => void = () => undefined;
  /** Called while OpenNebula is asked. */
  onRefresh: () => void = () => undefined;
  readonly begun: Begun[] = [];
  readonly open = new Set<string>();
  readonly logged: { readonly message: string; readonly fields: LogFields }[] = [];
  readonly handled = new Map<string, number>();
  readonly #known = new Set<string>();
  readonly #settingsListeners = new Set<(settings: ServerSettings) => void>();
  readonly #listeners = new Set<(run: RunRecord) => void>();

  constructor(now: string) {
    this.wallMs = Date.parse(now);
  }

  setPolicies(...documents: readonly object[]): void {
    const policies = documents.map((document) => compilePolicy<Policy>(parsePolicy(document), this.wallMs));
    this.settings = { ...this.settings, policies, backupPolicies: policies.filter(({ policy }) => policy.kind === 'backup') as never };
    for (const listener of this.#settingsListeners) listener(this.settings);
  }

  readonly clock: Clock = { now: () => new Date(this.wallMs), monotonicMs: () => this.monotonicMs, sleep: async () => undefined };
  readonly slots: HandledSlots = {
    all: async () => new Map(this.handled),
    remember: async (key, ms, unless) => {
      if (this.handled.get(slotKeyText(key)) === unless) this.handled.set(slotKeyText(key), ms);
    },
    keepOnly: async (keys) => {
      for (const key of this.handled.keys()) if (!keys.has(key)) this.handled.delete(key);
    },
  };
  readonly logger: Logger = {
    ...silentLogger,
    info: (fields, message) => this.logged.push({ message, fields }),
    warn: (fields, message) => this.logged.push({ message, fields }),
  };

  scheduler(overrides: Partial<SchedulerDeps> = {}): Scheduler {
    const stage = this;
    return new Scheduler({
      settings: {
        current: () => stage.settings,
        onChange: (listener) => {
          stage.#settingsListeners.add(listener);
          return { [Symbol.dispose]: () => void stage.#settingsListeners.delete(listener) };
        },
      },
      slots: stage.slots,
      clock: stage.clock,
      logger: stage.logger,
      inventory: {
        vms: () => stage.vms,
        vm: (id) => stage.vms.find(({ facts }) => facts.id === id),
        get refreshedAt() {
          return stage.refreshedAt;
        },
        problem: undefined,
        hasNewProxy: async () => stage.hasNewProxy,
        refresh: async () => {
          stage.refreshes++;
          stage.onRefresh();
          if (stage.cloudAway) throw new Error('no route');
          stage.refreshedAt = new Date(stage.wallMs);
        },
      },
      runs: {
        start: async (request, options) => stage.#start(request, options),
        endMissed: async () => undefined,
        list: async ({ policy, state }) => (state === 'running' && stage.open.has(policy ?? '') ? [runRecord()] : []),
        onEnded: (listener) => {
          stage.#listeners.add(listener);
          return { [Symbol.dispose]: () => void stage.#listeners.delete(listener) };
        },
      },
      ...overrides,
    });
  }

  /** A backup of a slot ends. */
  ended(policy: string, slot: string): void {
    for (const listener of this.#listeners) listener(runRecord({ schedule: { policy, slot: new Date(slot) } }));
  }

  pass(ms: number): void {
    this.wallMs += ms;
    this.monotonicMs += ms;
  }

  /** Time goes by, and the scheduler looks as often as it would. */
  async until(scheduler: Scheduler, time: string, stepMs = 10 * MINUTE): Promise<void> {
    for (await scheduler.tick(); this.wallMs < Date.parse(time); await scheduler.tick()) this.pass(Math.min(stepMs, Date.parse(time) - this.wallMs));
  }

  slotsOf(kind: string): string[] {
    return this.begun.filter(({ request }) => request.kind === kind).map(({ slot }) => slot);
  }

  #start(request: RunRequest, options: StartOptions): { id: string; isNew: boolean } {
    this.onStart(request);
    const slot = options.slot?.toISOString().replace(':00.000Z', 'Z') ?? 'none';
    const key = `${options.origin.name} ${slot} ${request.kind} ${'vmId' in request ? request.vmId : ''}`;
    if (this.#known.has(key)) return { id: key, isNew: false };
    this.#known.add(key);
    this.begun.push({ request, slot, options });
    return { id: key, isNew: true };
  }
}
