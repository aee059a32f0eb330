/**
 * Runs of the onevault server: queued once, claimed by a worker that reaches what they need, within limits of everything they occupy; when their worker dies, cleaned
 * up after and done again. Knows nothing of backups: a run is a kind and a request.
 * @packageDocumentation
 */
export type { Places } from './claim.ts';
export { type Database, type DatabasePlace, openDatabase } from './database/open-database.ts';
export { QueueError, type QueueErrorCode } from './errors.ts';
export type { Json, JsonObject, RunOutcome, RunRecord, RunSpec, RunState } from './run-record.ts';
export { type Queued, type RunEvent, type RunFilter, Runs } from './runs.ts';
export { type RunContext, type ServeDeps, serveRuns, type Worker } from './serve-runs.ts';
