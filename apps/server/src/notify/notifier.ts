import { type CallOptions, type Clock, type Logger, Scope, type Secret, serializeError } from '@onevault/base';
import type { RunRecord } from '@onevault/run-queue';
import { notFound } from '../errors.ts';
import type { Call, HandlerTable } from '../ports/call.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Inventory } from '../ports/inventory.ts';
import type { NotificationChannel } from '../ports/notification-channel.ts';
import type { RunService } from '../ports/run-service.ts';
import type { ServerSettings } from '../ports/settings-store.ts';
import type { ChannelStanding } from './channel-standing.ts';
import { Deliveries } from './deliveries.ts';
import { nothingRan } from './nothing-ran.ts';
import { Outbox } from './outbox.ts';
import { entryOf, type Observation, observe, type Telling, type Trouble } from './troubles.ts';
import { runObservations, standingObservations } from './watch-standing.ts';

export interface NotifierDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 to 1, for the spread of retries. */
  readonly random: () => number;
  readonly newId: () => string;
  /** In the state directory. */
  readonly directory: string;
  /** How this server is called in what it tells. */
  readonly server: string;
  readonly settings: () => ServerSettings;
  readonly runs: Pick<RunService, 'list' | 'onEnded'>;
  readonly inventory: Pick<Inventory, 'vms' | 'refreshedAt'>;
  readonly catalog: Pick<Catalog, 'ofVm' | 'repositories'>;
  /** What dead runs left in OpenNebula; undefined while nobody has looked. */
  readonly orphans: () => number | undefined;
  /** Content of a file of the secrets directory. */
  readonly readSecret: (file: string) => Promise<Secret>;
  /** A certificate authority beside those that Node trusts. */
  readonly ca?: string;
}

export interface Notifier extends AsyncDisposable {
  standing(): readonly ChannelStanding[];
  /** Sends a trial at once. Throws SERVER_NOT_FOUND, SERVER_NOTIFICATION_FAILED. */
  test(channel: string, options?: CallOptions): Promise<void>;
}

const LOOK_MS = 60_000;
/** What comes within that time is one message. */
const GATHER_MS = 15_000;
/** Runs are told by several processes at about the same time: those that ended so shortly before the last known one may be unknown. */
const OVERLAP_MS = 60_000;
const CATCH_UP_RUNS = 5000;
const CATCH_UP_QUEUED_MS = 48 * 3_600_000;
/** A VM that failed and was never run again is forgotten some day. */
const FORGET_RUN_TROUBLE_MS = 30 * 24 * 3_600_000;

/** Watches runs and how things stand, and tells it. What happened while no server looked is looked at first. */
export async function openNotifier(deps: NotifierDeps, options: CallOptions = {}): Promise<Notifier> {
  const outbox = await Outbox.open(deps.directory, deps.clock.now().getTime());
  const deliveries = new Deliveries(deps, outbox);
  const watch = new Watch(deps, outbox, deliveries);
  await using scope = new Scope();
  scope.defer(() => outbox.flush());
  scope.use(deps.runs.onEnded((run) => watch.ended([run])));
  await watch.catchUp(options);
  const stop = new AbortController();
  const loops = [every(deps, LOOK_MS, stop.signal, () => watch.look()), every(deps, GATHER_MS, stop.signal, () => deliveries.deliverDue(stop.signal))];
  scope.defer(async () => {
    stop.abort();
    await Promise.all(loops);
  });
  const owned = scope.move();
  return {
    standing: () => deliveries.standing(),
    test: async (name, call) => {
      const channel = deps.settings().notifications.find((one) => one.name === name);
      if (channel === undefined) throw notFound('notification channel');
      await deliveries.send(channel, [trial(deps)], call);
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

/** `testNotification`. */
export function notificationHandlers(notifier: Notifier): HandlerTable {
  return {
    testNotification: async ({ body, signal }: Call<unknown, unknown, { channel: string }>): Promise<undefined> => {
      await notifier.test(body.channel, { signal });
      return undefined;
    },
  };
}

function trial({ clock, newId }: NotifierDeps) {
  const seen = { subject: 'trial' };
  return { id: newId(), ...entryOf(seen, 'succeeded', false, 'This is a trial notification. Nothing is wrong.', clock.now().getTime()) };
}

/** Until it is stopped; a turn that fails is said and does not end the next ones. */
async function every({ clock, logger }: NotifierDeps, ms: number, signal: AbortSignal, turn: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    try {
      await turn();
    } catch (error) {
      if (!signal.aborted) logger.error({ error: serializeError(error) }, 'notifications could not be worked on');
    }
    await clock.sleep(ms, { signal }).catch(() => undefined);
  }
}

/** Turns what is seen into what is to be told, and notes both in one change of the outbox. */
class Watch {
  readonly #deps: NotifierDeps;
  readonly #outbox: Outbox;
  readonly #deliveries: Deliveries;
  readonly #troubles: Map<string, Trouble>;
  readonly #runsSeen: Set<string>;

  constructor(deps: NotifierDeps, outbox: Outbox, deliveries: Deliveries) {
    this.#deps = deps;
    this.#outbox = outbox;
    this.#deliveries = deliveries;
    this.#troubles = new Map(Object.entries(outbox.book.troubles));
    this.#runsSeen = new Set(outbox.book.runsSeen);
  }

  async catchUp({ signal }: CallOptions): Promise<void> {
    const { runsUntilMs } = this.#outbox.book;
    const missed: RunRecord[] = [];
    let after: RunRecord | undefined;
    for (let looked = 0; looked < CATCH_UP_RUNS; ) {
      signal?.throwIfAborted();
      const page = await this.#deps.runs.list({ limit: 500, ...(after && { after: { queuedAt: after.queuedAt, id: after.id } }) });
      missed.push(...page.filter(({ endedAt }) => endedAt !== undefined && endedAt.getTime() >= runsUntilMs - OVERLAP_MS));
      after = page.at(-1);
      looked += page.length;
      if (after === undefined || page.length < 500 || after.queuedAt.getTime() < runsUntilMs - CATCH_UP_QUEUED_MS) break;
    }
    this.ended(missed.sort((a, b) => (a.endedAt?.getTime() ?? 0) - (b.endedAt?.getTime() ?? 0)));
    await this.#outbox.flush();
  }

  ended(runs: readonly RunRecord[]): void {
    const nowMs = this.#nowMs();
    const tellings: Telling[] = [];
    let { runsUntilMs, lastSuccessMs } = this.#outbox.book;
    for (const run of runs.filter(({ id }) => !this.#runsSeen.has(id))) {
      this.#runsSeen.add(run.id);
      const endedMs = run.endedAt?.getTime() ?? nowMs;
      runsUntilMs = Math.max(runsUntilMs, endedMs);
      if (run.state === 'succeeded' || run.state === 'degraded') lastSuccessMs = Math.max(lastSuccessMs ?? 0, endedMs);
      tellings.push(...this.#tellingsOf(run, nowMs));
    }
    this.#prune();
    this.#note(tellings, { runsUntilMs, runsSeen: [...this.#runsSeen], ...(lastSuccessMs !== undefined && { lastSuccessMs }) });
    // Awaited by whoever closes; an error is said here, for nobody waits for a listener.
    this.#outbox.flush().catch((error: unknown) => this.#deps.logger.error({ error: serializeError(error) }, 'a notification could not be kept'));
  }

  #tellingsOf(run: RunRecord, nowMs: number): readonly Telling[] {
    const { notifications } = this.#deps.settings();
    const observations = runObservations(run);
    const changes = observations.flatMap((seen) => this.#observe(seen, notifications, nowMs));
    const [seen] = observations;
    if (seen === undefined || run.state !== 'succeeded') return changes;
    const listeners = notifications.filter(({ on }) => on.includes('succeeded'));
    return [...changes, ...listeners.map(({ name }) => ({ channel: name, entry: entryOf(seen, 'succeeded', false, 'it succeeded', nowMs) }))];
  }

  async look(): Promise<void> {
    const { settings, inventory, catalog, orphans } = this.#deps;
    const nowMs = this.#nowMs();
    const current = settings();
    const { beganMs, withoutPoint } = this.#outbox.book;
    const still: Record<string, number> = {};
    const unprotectedSinceMs = (vmId: number): number => {
      const since = withoutPoint[vmId] ?? nowMs;
      still[vmId] = since;
      return since;
    };
    const seen = standingObservations({ settings: current, inventory, catalog, orphans: orphans(), nowMs, unprotectedSinceMs });
    const tellings = seen.flatMap((one) => this.#observe(one, current.notifications, nowMs));
    for (const channel of current.notifications.filter(({ on }) => on.includes('nothing-ran')))
      tellings.push(...this.#observe(nothingRan(channel, current, this.#outbox.book.lastSuccessMs, beganMs, nowMs), [channel], nowMs));
    this.#forgetGone(new Set(seen.map(({ key }) => key)), nowMs);
    this.#note(tellings, sameKeys(still, withoutPoint) ? {} : { withoutPoint: still });
    await this.#outbox.flush();
  }

  #observe(seen: Observation, channels: readonly NotificationChannel[], nowMs: number): readonly Telling[] {
    const { trouble, tellings } = observe(this.#troubles.get(seen.key), seen, channels, nowMs);
    if (trouble === undefined) this.#troubles.delete(seen.key);
    else this.#troubles.set(seen.key, trouble);
    return tellings;
  }

  /** A VM or repository that is no more has no trouble any more, and nobody is told so. */
  #forgetGone(seen: ReadonlySet<string>, nowMs: number): void {
    for (const [key, { sinceMs }] of this.#troubles) {
      const isGone = /^(rpo|repository):/.test(key) && !seen.has(key) && this.#deps.inventory.refreshedAt !== undefined;
      if (isGone || (/^(run|skipped):/.test(key) && nowMs - sinceMs > FORGET_RUN_TROUBLE_MS)) this.#troubles.delete(key);
    }
  }

  #prune(): void {
    for (const id of this.#runsSeen) {
      if (this.#runsSeen.size <= 1000) break;
      this.#runsSeen.delete(id);
    }
  }

  #note(tellings: readonly Telling[], change: Parameters<Outbox['change']>[0]): void {
    const troubles = Object.fromEntries(this.#troubles);
    const isSame = sameTroubles(troubles, this.#outbox.book.troubles);
    if (tellings.length === 0 && isSame && Object.keys(change).length === 0) return;
    const add = tellings.map(({ channel, entry }) => ({ channel, entry: { id: this.#deps.newId(), ...entry } }));
    this.#deliveries.lost(this.#outbox.change({ ...change, ...(!isSame && { troubles }), add }));
  }

  #nowMs(): number {
    return this.#deps.clock.now().getTime();
  }
}

function sameTroubles(a: Readonly<Record<string, Trouble>>, b: Readonly<Record<string, Trouble>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function sameKeys(a: object, b: object): boolean {
  return Object.keys(a).join() === Object.keys(b).join();
}
