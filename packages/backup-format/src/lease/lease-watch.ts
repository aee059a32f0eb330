import { type CallOptions, type Clock, type Logger, serializeError } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import type { Envelopes } from '../format/envelopes.ts';
import { MAX_JSON_BYTES } from '../format/limits.ts';
import type { RepositoryConfig } from '../repository-api.ts';
import type { ObjectKey, ObjectStore } from '../store/object-store.ts';
import { readWhole } from '../store/read-whole.ts';
import { decodeLease, LEASES_PREFIX, type LeaseRecord, leaseKey, leasePrefix, parseLeaseKey } from './lease-record.ts';
import { LEASE_EXPIRY_MS, staleAfterMs } from './lease-timing.ts';

export interface LeaseStoreParts {
  readonly store: ObjectStore;
  readonly config: Pick<RepositoryConfig, 'id'>;
  readonly envelopes: Envelopes;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A lease as this process sees it. */
export interface ObservedLease {
  readonly id: string;
  readonly sequence: number;
  /** Undefined when the object is damaged: it may be anybody's, and expires like any other. */
  readonly record: LeaseRecord | undefined;
  /** How long this process has seen no heartbeat, on its own monotonic clock. */
  readonly silentMs: number;
  readonly stale: boolean;
}

interface Seen {
  readonly sequence: number;
  readonly record: LeaseRecord | undefined;
  readonly sinceMs: number;
}

/**
 * Watches the leases of a repository. No clock of another machine is ever looked at: a lease is stale when no heartbeat came for its whole expiry
 * and a margin, counted here from the moment its last heartbeat was first seen.
 */
export class LeaseWatch {
  readonly #parts: LeaseStoreParts;
  #seen = new Map<string, Seen>();

  constructor(parts: LeaseStoreParts) {
    this.#parts = parts;
  }

  /** All leases there are, in order of id. */
  async observe(options: CallOptions = {}): Promise<ObservedLease[]> {
    const startedMs = this.#parts.clock.monotonicMs();
    const newest = await this.#newest(options);
    const next = new Map<string, Seen>();
    for (const [id, sequence] of newest) {
      const known = this.#seen.get(id);
      const seen = known?.sequence === sequence ? known : await this.#read(id, sequence, options);
      if (seen) next.set(id, seen);
    }
    this.#seen = next;
    return [...next].map(([id, { sequence, record, sinceMs }]) => {
      const silentMs = Math.max(0, startedMs - sinceMs);
      return { id, sequence, record, silentMs, stale: silentMs > staleAfterMs(record?.expiryMs ?? LEASE_EXPIRY_MS) };
    });
  }

  async #newest(options: CallOptions): Promise<Map<string, number>> {
    const newest = new Map<string, number>();
    for await (const { key } of this.#parts.store.list(LEASES_PREFIX, options)) {
      const place = parseLeaseKey(key);
      if (place) newest.set(place.id, Math.max(place.sequence, newest.get(place.id) ?? 0));
    }
    return newest;
  }

  /** Undefined when the lease ended meanwhile; a lease that went on is read at its newer heartbeat. */
  async #read(id: string, sequence: number, options: CallOptions): Promise<Seen | undefined> {
    const { store, envelopes, config, clock, logger } = this.#parts;
    for (let at: number | undefined = sequence; at !== undefined; ) {
      const key = leaseKey(id, at);
      try {
        const record = decodeLease(envelopes, config.id, key, await readWhole(store, key, MAX_JSON_BYTES, options));
        return { sequence: at, record, sinceMs: clock.monotonicMs() };
      } catch (error) {
        if (isRepositoryError(error, 'REPO_LEASE_INVALID', 'REPO_UNSUPPORTED_VERSION', 'REPO_TOO_LARGE', 'REPO_OBJECT_TRUNCATED')) {
          logger.warn({ key, error: serializeError(error) }, 'a lease cannot be read; it counts until it is silent for long enough');
          return { sequence: at, record: undefined, sinceMs: clock.monotonicMs() };
        }
        if (!isRepositoryError(error, 'REPO_OBJECT_MISSING')) throw error;
        at = await newestSequence(store, id, options);
      }
    }
    return undefined;
  }

  /**
   * Ends a stale lease for good. Its objects are deleted first; only if none appeared meanwhile has it ended. A holder that wakes up finds its last
   * heartbeat gone and gives up, so of the two at least one always learns of the other. False: the holder is alive after all.
   */
  async break(lease: ObservedLease, options: CallOptions = {}): Promise<boolean> {
    const { store, logger } = this.#parts;
    for await (const { key } of store.list(leasePrefix(lease.id), options)) {
      const place = parseLeaseKey(key);
      if (place && place.sequence <= lease.sequence) await store.delete(key, options);
    }
    const ended = (await newestSequence(store, lease.id, options)) === undefined;
    const { holder, purpose } = lease.record ?? {};
    if (ended) logger.warn({ leaseId: lease.id, ...holder, purpose, silentMs: lease.silentMs }, 'a lease was silent for longer than it lasts and has expired');
    return ended;
  }
}

async function newestSequence(store: ObjectStore, id: string, options: CallOptions): Promise<number | undefined> {
  let newest: number | undefined;
  for await (const { key } of store.list(leasePrefix(id), options)) newest = Math.max(newest ?? 0, parseLeaseKey(key)?.sequence ?? 0) || undefined;
  return newest;
}

/** Whether there is any heartbeat of a lease: it is held, or was and nobody has ended it. */
export async function hasLease(store: ObjectStore, id: string, options: CallOptions = {}): Promise<boolean> {
  return (await newestSequence(store, id, options)) !== undefined;
}

/** Removes every heartbeat of a lease. */
export async function deleteLease(store: ObjectStore, id: string, options: CallOptions = {}): Promise<void> {
  const keys: ObjectKey[] = [];
  for await (const { key } of store.list(leasePrefix(id), options)) keys.push(key);
  for (const key of keys) await store.delete(key, options);
}
