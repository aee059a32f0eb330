/**
 * What every onevault package stands on: one error shape, time as a dependency, scopes that give things back,
 * the only retry loop and the only concurrency primitives. No runtime dependencies, nothing about backup or OpenNebula.
 * @packageDocumentation
 */
export { type BlockGrid, blockGrid, blockRange, DIGEST_BYTES, type DigestSource } from './block.ts';
export type { CallOptions } from './call-options.ts';
export { type Clock, systemClock } from './clock.ts';
export { BaseError, type ErrorFacts, errorCode, isAbort, isBaseError, isRetryable, type SerializedError, serializeError } from './errors.ts';
export { type ConcurrencyOptions, forEachConcurrent, Mutex, mapOrdered, Semaphore } from './flow.ts';
export { type LogFields, type Logger, silentLogger } from './log.ts';
export { type RetryPolicy, retry } from './retry.ts';
export { sayMissing } from './say-missing.ts';
export { Scope } from './scope.ts';
export { redact, Secret } from './secret.ts';
