import type { RunRequest, StreamEvent } from '@onevault/api';
import type { CallOptions } from '@onevault/base';
import type { RunFilter, RunRecord } from '@onevault/run-queue';

export interface RunOrigin {
  readonly kind: 'user' | 'token' | 'schedule' | 'system';
  readonly name: string;
}

export interface StartOptions extends CallOptions {
  readonly origin: RunOrigin;
  /** Of a scheduled run: begun once, however often it is started. */
  readonly slot?: Date;
  readonly priority?: number;
  /** Under this id, if nothing is there under it; default: a new one. */
  readonly id?: string;
  /** Stopped in order at that moment if it still runs: its window ends. */
  readonly stopAtMs?: number;
  /** Skipped when it has not begun by then: its window ends. */
  readonly startByMs?: number;
  /** Whose a restored VM becomes. */
  readonly owner?: { readonly userId: number; readonly groupId: number };
}

/** Everything that takes long. The server's side of the queue: makes work orders of requests, tells what happens. */
export interface RunService {
  /** Throws SERVER_* errors when the request names what is not there. `isNew` false: the same was asked for before, or for this slot. */
  start(request: RunRequest, options: StartOptions): Promise<{ readonly id: string; readonly isNew: boolean }>;
  get(id: string): Promise<RunRecord>;
  list(filter: RunFilter): Promise<readonly RunRecord[]>;
  cancel(id: string): Promise<void>;
  /** Ends as skipped what waits and may not begin any more, also while no worker asks for work. */
  endMissed(): Promise<void>;
  /** Events of one run from the beginning (or behind an event id), then as they come; ends after the run's end. Bounded memory: a slow reader is read again from the database. */
  watch(id: string, options: { readonly afterEventId?: string; readonly signal: AbortSignal }): AsyncIterable<StreamEvent>;
  /** Events of all runs from now on. */
  watchAll(options: { readonly afterEventId?: string; readonly signal: AbortSignal }): AsyncIterable<StreamEvent>;
  /** Called once for each run that ended while this server looks, by whatever worker. */
  onEnded(listener: (run: RunRecord) => void): Disposable;
}
