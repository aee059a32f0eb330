import { type CallOptions, serializeError } from '@onevault/base';
import type { NotificationChannel } from '../ports/notification-channel.ts';
import type { ChannelStanding } from './channel-standing.ts';
import type { Entry } from './entry.ts';
import type { NotifierDeps } from './notifier.ts';
import type { Outbox } from './outbox.ts';
import { sendMail } from './send-mail.ts';
import { sendWebhook } from './send-webhook.ts';

const FIRST_RETRY_MS = 30_000;
const MAX_RETRY_MS = 15 * 60_000;
/** Told a day late it is no news; whoever looks after the server sees it in the metrics long before. */
const GIVE_UP_MS = 24 * 3_600_000;
/** For machines, in pieces that a small service can take; for people everything is one message. */
const JSON_ENTRIES = 200;

interface ChannelState {
  delivered: number;
  failures: number;
  givenUp: number;
  /** In a row. */
  failed: number;
  nextAtMs: number;
  busy: boolean;
}

/** Takes what waits in the outbox to its channels, each at its own pace: one that is dead holds up nobody else. */
export class Deliveries {
  readonly #deps: NotifierDeps;
  readonly #outbox: Outbox;
  readonly #channels = new Map<string, ChannelState>();

  constructor(deps: NotifierDeps, outbox: Outbox) {
    this.#deps = deps;
    this.#outbox = outbox;
  }

  standing(): readonly ChannelStanding[] {
    return this.#deps.settings().notifications.map(({ name }) => {
      const { delivered, failures, givenUp } = this.#state(name);
      return { channel: name, delivered, failures, givenUp, pending: this.#outbox.book.pending[name]?.length ?? 0 };
    });
  }

  lost(counts: ReadonlyMap<string, number>): void {
    for (const [channel, count] of counts) {
      this.#state(channel).givenUp += count;
      this.#deps.logger.error({ channel, count }, 'too many notifications wait: the oldest were given up');
    }
  }

  /** Resolves when each channel that was due has been tried. */
  async deliverDue(signal: AbortSignal): Promise<void> {
    const nowMs = this.#deps.clock.now().getTime();
    const { notifications } = this.#deps.settings();
    const channels = new Map(notifications.map((channel) => [channel.name, channel]));
    const due = Object.keys(this.#outbox.book.pending).map((name) => this.#deliverOne(name, channels.get(name), nowMs, signal));
    await Promise.all(due);
  }

  async #deliverOne(name: string, channel: NotificationChannel | undefined, nowMs: number, signal: AbortSignal): Promise<void> {
    const state = this.#state(name);
    this.#giveUpOld(name, state, channel === undefined ? Number.POSITIVE_INFINITY : nowMs - GIVE_UP_MS);
    if (channel === undefined || state.busy || nowMs < state.nextAtMs) return this.#outbox.flush();
    state.busy = true;
    try {
      for (let entries = this.#batch(channel); entries.length > 0; entries = this.#batch(channel)) {
        await this.send(channel, entries, { signal });
        this.#outbox.take(name, new Set(entries.map(({ id }) => id)));
        await this.#outbox.flush();
      }
    } catch (error) {
      if (signal.aborted) return;
      const delayMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(state.failed - 1, 16), MAX_RETRY_MS);
      state.nextAtMs = nowMs + (delayMs / 2) * (1 + this.#deps.random());
      const waits = this.#outbox.book.pending[name]?.length ?? 0;
      this.#deps.logger.warn(
        { channel: name, attempts: state.failed, waits, error: serializeError(error) },
        'a notification could not be delivered and is tried again',
      );
    } finally {
      state.busy = false;
    }
  }

  /** One message, now. Counted whether it is a trial or not. */
  async send(channel: NotificationChannel, entries: readonly Entry[], options: CallOptions = {}): Promise<void> {
    const state = this.#state(channel.name);
    const message = { id: this.#deps.newId(), entries, server: this.#deps.server };
    try {
      const secret = channel.secretFile === undefined ? undefined : await this.#deps.readSecret(channel.secretFile);
      if (channel.kind === 'smtp') await sendMail(channel, message, secret, { ...options, ...(this.#deps.ca !== undefined && { ca: this.#deps.ca }) });
      else await sendWebhook(channel, message, secret, this.#deps.clock.now().getTime(), options);
      state.delivered += 1;
      state.failed = 0;
    } catch (error) {
      options.signal?.throwIfAborted();
      state.failures += 1;
      state.failed += 1;
      throw error;
    }
  }

  #batch(channel: NotificationChannel): readonly Entry[] {
    const entries = this.#outbox.book.pending[channel.name] ?? [];
    return channel.kind === 'webhook' && (channel.format ?? 'json') === 'json' ? entries.slice(0, JSON_ENTRIES) : entries;
  }

  #giveUpOld(name: string, state: ChannelState, beforeMs: number): void {
    const old = (this.#outbox.book.pending[name] ?? []).filter(({ at }) => at < beforeMs);
    if (old.length === 0) return;
    this.#outbox.take(name, new Set(old.map(({ id }) => id)));
    state.givenUp += old.length;
    this.#deps.logger.error({ channel: name, count: old.length, first: old[0]?.subject }, 'notifications were given up');
  }

  #state(name: string): ChannelState {
    const state = this.#channels.get(name) ?? { delivered: 0, failures: 0, givenUp: 0, failed: 0, nextAtMs: 0, busy: false };
    this.#channels.set(name, state);
    return state;
  }
}
