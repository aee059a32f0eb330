/** Plain JSON; the queue does not look inside. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export type RunState = 'queued' | 'running' | 'succeeded' | 'degraded' | 'failed' | 'cancelled' | 'skipped';

/** How a run can end. */
export type RunOutcome =
  | { readonly state: 'succeeded' | 'degraded' | 'skipped' | 'cancelled'; readonly report: JsonObject }
  /** `retry`: the same again has a chance; at the earliest after `retryAfterMs`, by default what the run was queued with. */
  | { readonly state: 'failed'; readonly failure: JsonObject; readonly retry: boolean; readonly retryAfterMs?: number };

/** What is asked for. */
export interface RunSpec {
  readonly kind: string;
  readonly request: JsonObject;
  readonly vmId?: number;
  readonly vmName?: string;
  /** Of a scheduled run: with its slot it is known, and begun once however many schedulers see it. */
  readonly schedule?: { readonly policy: string; readonly slot: Date };
  readonly origin: { readonly kind: 'user' | 'token' | 'schedule' | 'system'; readonly name: string };
  /** 0 to 100. A point is worth ten minutes of waiting: the higher goes first, and nothing waits for ever. */
  readonly priority: number;
  /** What it occupies while it runs, such as `vm:17`, `host:kvm-3`, `total`: of each there are as many places as `setCaps` says of its kind, which stands before the colon. */
  readonly holds: readonly string[];
  /** What a worker must reach, such as `datastore-100`. */
  readonly reach: readonly string[];
  readonly retry: { readonly times: number; readonly afterMs: number };
  /** Not begun earlier. */
  readonly startAfter?: Date;
  /** Not begun later, nor again: it ends as skipped, or as its last attempt failed. */
  readonly startBefore?: Date;
}

/** An attempt whose worker was not heard of again. */
export interface DeadAttempt {
  readonly worker: string;
  readonly attempt: number;
  /** What it noted before it acted. */
  readonly notes: JsonObject;
  /** So often what it left could not be taken away yet; absent: never. */
  readonly tries?: number;
}

/** Why a run waits. */
export type WaitsFor =
  | { readonly code: 'time'; readonly until: Date }
  /** What a dead worker left could not be taken away yet: tried again then. Until it is, nobody else is let to the VM. */
  | { readonly code: 'clean-up'; readonly until: Date }
  /** Everybody who could do it is at work. */
  | { readonly code: 'turn' }
  | { readonly code: 'place'; readonly resource: string }
  | { readonly code: 'worker'; readonly reach: readonly string[] };

export interface RunRecord extends RunSpec {
  readonly id: string;
  readonly state: RunState;
  /** 1 for the first; 0 before it. One that was given back in order does not count. */
  readonly attempt: number;
  readonly worker: string | undefined;
  readonly queuedAt: Date;
  readonly startedAt: Date | undefined;
  readonly endedAt: Date | undefined;
  readonly waitsFor: WaitsFor | undefined;
  readonly cancelRequested: boolean;
  /** What its worker noted, for whoever has to clean up after it: ids of the workflow's own runs. */
  readonly notes: JsonObject;
  readonly progress: JsonObject;
  readonly report: JsonObject | undefined;
  /** Of the last attempt, also while it waits for another one. */
  readonly failure: JsonObject | undefined;
}

/** Something that happened. Of the queue's own: run.queued, run.taken, run.waits, run.ended, run.events-lost; all others are the workers'. */
export interface RunEvent {
  /** Ascending in the order in which events can be seen: whoever has seen one has missed none before it. */
  readonly seq: number;
  readonly runId: string;
  readonly at: Date;
  readonly type: string;
  readonly data: JsonObject;
}
