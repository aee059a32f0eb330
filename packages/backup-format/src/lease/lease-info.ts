import type { CallOptions } from '@onevault/base';
import type { LeaseKind } from './lease-record.ts';
import type { ObservedLease } from './lease-watch.ts';

/** A lease, for people. */
export interface LeaseInfo {
  readonly id: string;
  /** `unknown` when its object is damaged. */
  readonly kind: LeaseKind | 'unknown';
  readonly host: string | undefined;
  readonly pid: number | undefined;
  readonly purpose: string | undefined;
  /** By the clock of its holder. */
  readonly startedAt: string | undefined;
  readonly sequence: number;
  /** `held` unless its holder ended it, or this process has seen no heartbeat for longer than it lasts. */
  readonly state: 'held' | 'ended' | 'stale';
  /** How long this process has seen no heartbeat. */
  readonly silentMs: number;
}

export function leaseInfo({ id, record, sequence, silentMs, stale }: ObservedLease): LeaseInfo {
  const { kind = 'unknown', holder, purpose, startedAt } = record ?? {};
  return { id, kind, host: holder?.host, pid: holder?.pid, purpose, startedAt, sequence, state: record?.ended ? 'ended' : stale ? 'stale' : 'held', silentMs };
}

export interface UnlockOptions extends CallOptions {
  /** Ids of leases, or beginnings of 4 characters at least, to be removed though they may be held. */
  readonly force?: readonly string[];
  /** Whether to watch silent leases until they are surely stale: minutes. False by default. */
  readonly wait?: boolean;
}

export interface UnlockReport {
  readonly removed: readonly LeaseInfo[];
  readonly left: readonly LeaseInfo[];
}
