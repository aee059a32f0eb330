/**
 * Runs of the onevault server: queued once, claimed by a worker that reaches what they need, within limits of everything they occupy; when their worker dies, cleaned
 * up after and done again. Knows nothing of backups: a run is a kind and a request.
 * @packageDocumentation
 */
export { type Database, type DatabaseOptions, type DatabasePlace, type Migrations, openDatabase } from './database/open-database.ts';
export type { RunContext, ServeDeps, Worker } from './do-run.ts';
export { QueueError, type QueueErrorCode } from './errors.ts';
export type { Caps } from './occupancy.ts';
export type { PastRun } from './past-runs.ts';
export { type FeedDeps, RunFeed, type WatchOptions } from './run-feed.ts';
export type { Json, JsonObject, RunEvent, RunOutcome, RunRecord, RunSpec, RunState, WaitsFor } from './run-record.ts';
export { type Pruning, type Queued, type QueueTally, type RunFilter, Runs } from './runs.ts';
export { serveRuns } from './serve-runs.ts';
export type { WorkerRecord } from './workers.ts';
