/**
 * For tests of what queues runs: the contract that every database must keep, and how to make a worker dead without waiting for it.
 * @packageDocumentation
 */
export { forgetWorker } from './forget-worker.ts';
export { runQueueContract } from './run-queue-contract.ts';
export { runSpec } from './run-spec.ts';
