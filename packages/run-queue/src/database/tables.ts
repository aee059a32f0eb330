import type { ColumnType, Generated } from 'kysely';
import type { JsonObject, RunState } from '../run-record.ts';

type JsonColumn<T> = ColumnType<T, string, string>;

export interface RunTable {
  id: string;
  kind: string;
  request: JsonColumn<JsonObject>;
  /** SHA-256 of kind, VM and request: two of the same are not queued at once. */
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
  state: RunState;
  attempt: number;
  worker: string | null;
  /** When its worker last said that it lives, by the database's clock. */
  beat_at: Date | null;
  queued_at: Generated<Date>;
  started_at: Date | null;
  ended_at: Date | null;
  waits_for: string | null;
  cancel_requested: Generated<boolean>;
  notes: JsonColumn<JsonObject>;
  progress: JsonColumn<JsonObject>;
  report: JsonColumn<JsonObject> | null;
  failure: JsonColumn<JsonObject> | null;
}

export interface RunEventTable {
  seq: Generated<number>;
  run_id: string;
  at: Generated<Date>;
  type: string;
  data: JsonColumn<JsonObject>;
}

/** A place of a resource that a run occupies. */
export interface RunPlaceTable {
  resource: string;
  run_id: string;
}

/** What a worker must reach to take from a queue. */
export interface RunLaneTable {
  name: string;
  reach: JsonColumn<readonly string[]>;
}

export interface Tables {
  'onevault.run': RunTable;
  'onevault.run_event': RunEventTable;
  'onevault.run_place': RunPlaceTable;
  'onevault.run_lane': RunLaneTable;
}
