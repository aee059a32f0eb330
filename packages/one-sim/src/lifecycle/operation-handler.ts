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
  /** What has been done when the driver fails half-way; nothing when absent. */
  half?(cloud: Cloud, operation: Operation, signal: AbortSignal): Promise<void>;
  /** `work` itself fails where `operation.failPhase` says, having passed through the states before. */
  readonly failsByItself?: true;
  succeed(cloud: Cloud, operation: Operation): void;
  fail(cloud: Cloud, operation: Operation, text: string): void;
}

/** The driver script failed; the text is what it printed. */
export class DriverFailure extends Error {}

/** Whether an injected fault makes this one fail or hang. */
export function isTroubled(operation: Operation): boolean {
  return operation.failure !== undefined || operation.stuck === true;
}

/** Where the driver of an operation that fails by itself gives up, or falls silent: the engine tells the two apart. */
export function giveUp(operation: Operation): never {
  throw new DriverFailure(operation.failure ?? 'the driver does not answer');
}
