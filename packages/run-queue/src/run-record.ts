/** Plain JSON; the queue does not look inside. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export type RunState = 'queued' | 'running' | 'succeeded' | 'degraded' | 'failed' | 'cancelled' | 'skipped';

/** How a run can end. */
export type RunOutcome =
  | { readonly state: 'succeeded' | 'degraded' | 'skipped' | 'cancelled'; readonly report: JsonObject }
  /** `retry`: the same again has a chance. */
  | { readonly state: 'failed'; readonly failure: JsonObject; readonly retry: boolean };

/** What is asked for. */
export interface RunSpec {
  readonly kind: string;
  readonly request: JsonObject;
  readonly vmId?: number;
  readonly vmName?: string;
  /** Of a scheduled run: with its slot it is known, and begun once however many schedulers see it. */
  readonly schedule?: { readonly policy: string; readonly slot: Date };
  readonly origin: { readonly kind: 'user' | 'token' | 'schedule' | 'system'; readonly name: string };
  /** Higher goes first. 0 to 100. */
  readonly priority: number;
  /** What it occupies while it runs, such as `vm:17`, `host:kvm-3`, `repository:main`: of each there are so many places. */
  readonly holds: readonly string[];
  /** What a worker must reach, such as `datastore-100`: lower-case letters, digits and dashes. */
  readonly reach: readonly string[];
  readonly retry: { readonly times: number; readonly afterMs: number };
}

export interface RunRecord extends RunSpec {
  readonly id: string;
  readonly state: RunState;
  /** 1 for the first; 0 before it. */
  readonly attempt: number;
  readonly worker: string | undefined;
  readonly queuedAt: Date;
  readonly startedAt: Date | undefined;
  readonly endedAt: Date | undefined;
  /** Why it waits. */
  readonly waitsFor: string | undefined;
  readonly cancelRequested: boolean;
  /** What its worker noted, for whoever has to clean up after it: ids of the workflow's own runs. */
  readonly notes: JsonObject;
  readonly progress: JsonObject;
  readonly report: JsonObject | undefined;
  readonly failure: JsonObject | undefined;
}
