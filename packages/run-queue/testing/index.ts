/**
 * For tests of what queues runs: the contract that every database must keep, workers that serve it, and how to make one dead without waiting for it.
 * @packageDocumentation
 */
export { dies } from './dies.ts';
export { forgetWorker } from './forget-worker.ts';
export { DONE, QueueWorld, quickClock, StoppableClock, untilStopped } from './queue-world.ts';
export { type QueueUnderTest, runQueueContract } from './run-queue-contract.ts';
export { runSpec } from './run-spec.ts';
