import type { CallOptions } from '@onevault/base';
import { RepositoryError } from '../errors.ts';
import { newHexId, type RandomBytes } from '../format/ids.ts';
import { HeldLease } from './held-lease.ts';
import type { LeaseHolder, LeaseKind, LeaseRecord } from './lease-record.ts';
import { HEARTBEAT_MS, LEASE_EXPIRY_MS } from './lease-timing.ts';
import { deleteLease, type LeaseStoreParts, LeaseWatch, type ObservedLease } from './lease-watch.ts';

export interface LeasesParts extends LeaseStoreParts {
  readonly randomBytes: RandomBytes;
  readonly leaseHolder: LeaseHolder;
}

/** How often somebody who waits for a silent lease looks again. */
const POLL_MS = HEARTBEAT_MS / 2;

/** The leases of a repository: docs/concurrency.md. */
export class Leases {
  readonly watch: LeaseWatch;
  readonly #parts: LeasesParts;

  constructor(parts: LeasesParts) {
    this.#parts = parts;
    this.watch = new LeaseWatch(parts);
  }

  /** A lease beside any others; `reading` is what one of the kind `reader` is for. */
  take(
    kind: LeaseKind,
    purpose: string,
    epoch: number,
    options: CallOptions = {},
    reading: Pick<LeaseRecord, 'roots' | 'point'> = { roots: [] },
  ): Promise<HeldLease> {
    const { clock, randomBytes, leaseHolder } = this.#parts;
    const startedAt = clock.now().toISOString();
    const id = newHexId(randomBytes);
    const record = { id, kind, sequence: 1, holder: leaseHolder, purpose, startedAt, expiryMs: LEASE_EXPIRY_MS, epoch, ended: false, ...reading };
    return HeldLease.take(this.#parts, record, options);
  }

  /**
   * The lease of whoever deletes packs: gc, and repair. At most one is held; a stale one is ended, which takes
   * as long as a lease lasts when nobody has watched it before: waits for that only with `wait`. Throws REPO_LOCKED.
   */
  async exclusive(purpose: string, options: CallOptions & { readonly wait?: boolean } = {}): Promise<HeldLease> {
    const call = options.signal ? { signal: options.signal } : {};
    const own = await this.take('exclusive', purpose, 0, call);
    try {
      // Of two that come at the same time each sees the other: both may give up, never both go on.
      await this.#outlive(own, options.wait ?? false, call);
      return own;
    } catch (error) {
      await own.release();
      throw error;
    }
  }

  async #outlive(own: HeldLease, wait: boolean, call: CallOptions): Promise<void> {
    const isRival = (lease: ObservedLease): boolean => lease.id !== own.id && (lease.record?.kind ?? 'exclusive') === 'exclusive';
    const settled = await this.settle(isRival, wait, call);
    const rival = settled.find(isRival);
    if (!rival) return;
    const { holder, purpose = 'something that cannot be read' } = rival.record ?? {};
    throw new RepositoryError({
      code: 'REPO_LOCKED',
      message: `${purpose} is at work in this repository${holder ? ` on ${holder.host} (process ${holder.pid})` : ''}`,
      details: { key: `leases/${rival.id}` },
      retryable: true,
      hint: 'wait until it is done; if it died, its lease expires by itself, or "repo unlock" removes it',
    });
  }

  /**
   * Ends those stale leases that match, and with `wait` watches the silent ones until they are stale or show a heartbeat. The leases there are then.
   */
  async settle(matches: (lease: ObservedLease) => boolean, wait: boolean, call: CallOptions): Promise<readonly ObservedLease[]> {
    const first = new Map<string, number>();
    for (;;) {
      const leases = await this.watch.observe(call);
      let broken = 0;
      for (const lease of leases.filter((candidate) => matches(candidate) && candidate.stale)) {
        await this.watch.break(lease, call);
        broken += 1;
      }
      if (broken > 0) continue;
      for (const { id, sequence } of leases) if (!first.has(id)) first.set(id, sequence);
      const silent = leases.some((lease) => matches(lease) && first.get(lease.id) === lease.sequence);
      if (!wait || !silent) return leases;
      await this.#parts.clock.sleep(POLL_MS, call);
    }
  }

  /**
   * Ends leases whatever their state, and answers how many. It looks until there are none: a heartbeat that is written while an older one is deleted would stand as if
   * nothing had happened; one that is written later finds that the older one is gone, and its holder gives up.
   */
  async end(matches: (lease: ObservedLease) => boolean, options: CallOptions = {}): Promise<number> {
    const ended = new Set<string>();
    for (;;) {
      const found = (await this.watch.observe(options)).filter(matches);
      if (found.length === 0) return ended.size;
      for (const { id } of found) {
        await deleteLease(this.#parts.store, id, options);
        ended.add(id);
      }
    }
  }

  /** Removes leases for good: ended and stale ones, and those named, whatever their state. What is removed, and what is left. */
  async unlock(
    force: readonly string[],
    options: CallOptions & { readonly wait?: boolean } = {},
  ): Promise<{ readonly removed: ObservedLease[]; readonly left: ObservedLease[] }> {
    const call = options.signal ? { signal: options.signal } : {};
    const before = await this.watch.observe(call);
    const forced = before.filter(({ id }) => force.some((prefix) => prefix.length >= 4 && id.startsWith(prefix)));
    const ended = before.filter((lease) => lease.record?.ended);
    for (const { id } of [...forced, ...ended]) await deleteLease(this.#parts.store, id, call);
    const left = await this.settle(() => true, options.wait ?? false, call);
    const kept = new Set(left.map(({ id }) => id));
    return { removed: before.filter(({ id }) => !kept.has(id)), left: [...left] };
  }
}
