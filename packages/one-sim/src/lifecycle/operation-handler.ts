import type { Cloud } from '../cloud.ts';
import type { Operation } from '../model/world-schema.ts';
import type { TimedStep } from './pace.ts';

/**
 * One kind of asynchronous work. `work` moves bytes and waits, may be run again from the start after a kill, and throws DriverFailure to fail.
 * `succeed` and `fail` change the world synchronously, at once.
 */
export interface OperationHandler {
  /** How long an injected failure takes to show. */
  readonly step: TimedStep;
  work(cloud: Cloud, operation: Operation, signal: AbortSignal): Promise<void>;
  succeed(cloud: Cloud, operation: Operation): void;
  fail(cloud: Cloud, operation: Operation, text: string): void;
}

/** The driver script failed; the text is what it printed. */
export class DriverFailure extends Error {}
