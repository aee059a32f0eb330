import type { ColumnType, Generated } from 'kysely';
import type { DeadAttempt, JsonObject, RunState } from '../run-record.ts';

type JsonColumn<T> = ColumnType<T, string, string>;
type DefaultJsonColumn<T> = ColumnType<T, string | undefined, string>;

export interface RunTable {
  id: string;
  kind: string;
  request: JsonColumn<JsonObject>;
  /** SHA-256 of kind, VM, policy and request: two of the same do not wait at once. */
  fingerprint: string;
  vm_id: number | null;
  vm_name: string | null;
  policy: string | null;
  slot: Date | null;
  origin_kind: 'user' | 'token' | 'schedule' | 'system';
  origin_name: string;
  priority: number;
  holds: JsonColumn<readonly string[]>;
  reach: JsonColumn<readonly string[]>;
  retry_times: number;
  retry_after_ms: number;
  queued_at: Generated<Date>;
  start_after: Generated<Date>;
  start_before: Date | null;
  /** Whose turn it is: when it was queued, less ten minutes for each point of priority, so that nothing waits for ever. */
  turn: Date;
  state: RunState;
  /** Counts claims and never goes back: what a worker writes must carry the newest. */
  token: Generated<number>;
  attempt: Generated<number>;
  deaths: Generated<number>;
  /** Attempts whose worker died and that nobody has cleaned up after yet. */
  dead: DefaultJsonColumn<readonly DeadAttempt[]>;
  worker: Generated<string | null>;
  /** `holds`, and what its worker occupies with each run. */
  occupies: DefaultJsonColumn<readonly string[]>;
  /** When its worker last said that it lives, by the database's clock. */
  beat_at: Generated<Date | null>;
  /** So long after `beat_at` its worker is dead: what that worker goes by itself. */
  heartbeat_seconds: Generated<number>;
  /** Of the events of this attempt. */
  told: Generated<number>;
  started_at: Generated<Date | null>;
  ended_at: Generated<Date | null>;
  cancel_requested: Generated<boolean>;
  notes: DefaultJsonColumn<JsonObject>;
  progress: DefaultJsonColumn<JsonObject>;
  report: ColumnType<JsonObject | null, string | null | undefined, string | null>;
  failure: ColumnType<JsonObject | null, string | null | undefined, string | null>;
}

export interface RunEventTable {
  seq: Generated<number>;
  run_id: string;
  at: Generated<Date>;
  type: string;
  data: JsonColumn<JsonObject>;
}

/** How many of a kind of resource may be in use at once; null: any number. */
export interface RunCapTable {
  kind: string;
  places: number | null;
}

/** Workers as they last said themselves. */
export interface RunWorkerTable {
  name: string;
  slots: number;
  reach: JsonColumn<readonly string[]>;
  standing: JsonColumn<JsonObject>;
  seen_at: ColumnType<Date, never, never>;
  heartbeat_seconds: Generated<number>;
}

/** What all that share the database go by: `heartbeat`, s. */
export interface RunTermTable {
  name: string;
  value: number;
}

export interface Tables {
  'onevault.run': RunTable;
  'onevault.run_event': RunEventTable;
  'onevault.run_cap': RunCapTable;
  'onevault.run_worker': RunWorkerTable;
  'onevault.run_term': RunTermTable;
}
