import { inspect } from 'node:util';
import { redact } from './secret.ts';

const BRAND = Symbol.for('@onevault/error');

export interface ErrorFacts<Code extends string, Details extends object> {
  readonly code: Code;
  /** What was attempted, on what, and why it failed; no trailing period. */
  readonly message: string;
  readonly details?: Details;
  /** True only when the same call, made again a little later, has a chance. */
  readonly retryable?: boolean;
  /** What the person in front of the terminal can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * The one error shape of onevault. Codes are public API, messages are not: match on `code`.
 * Each package has one subclass with its own union of codes.
 */
export abstract class BaseError<Code extends string = string, Details extends object = Readonly<Record<string, unknown>>> extends Error {
  readonly code: Code;
  readonly details: Readonly<Details>;
  readonly retryable: boolean;
  readonly hint: string | undefined;

  constructor(facts: ErrorFacts<Code, Details>) {
    super(redact(facts.message), facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = new.target.name;
    this.code = facts.code;
    this.details = Object.freeze({ ...facts.details }) as Readonly<Details>;
    this.retryable = facts.retryable ?? false;
    this.hint = facts.hint;
    Object.defineProperty(this, BRAND, { value: true });
  }

  toJSON(): SerializedError {
    return serializeError(this);
  }
}

export interface SerializedError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly details?: object;
  readonly hint?: string;
  readonly retryable?: boolean;
  readonly cause?: SerializedError;
  readonly errors?: readonly SerializedError[];
}

/** True for our errors, also across two installed copies of this package. */
export function isBaseError(error: unknown): error is BaseError {
  return error instanceof Error && BRAND in error;
}

/** True for what an AbortSignal throws by default and for our own Cancelled reason. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

export function isRetryable(error: unknown): boolean {
  return isBaseError(error) && error.retryable;
}

/** The code of one of ours, or of a Node system error (`ENOSPC`), else undefined. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** An error as plain data for a log line or JSON output: causes followed, secrets redacted, no stack. */
export function serializeError(error: unknown, depth = 8): SerializedError {
  if (!(error instanceof Error)) return { name: 'Error', message: redact(describeThrown(error)) };
  const out: Mutable<SerializedError> = { name: error.name, message: redact(error.message) };
  const code = errorCode(error);
  if (code !== undefined) out.code = code;
  if (isBaseError(error)) {
    out.details = error.details;
    out.retryable = error.retryable;
    if (error.hint !== undefined) out.hint = error.hint;
  }
  if (depth > 0 && error.cause !== undefined) out.cause = serializeError(error.cause, depth - 1);
  if (depth > 0 && error instanceof AggregateError) out.errors = error.errors.map((inner) => serializeError(inner, depth - 1));
  return out;
}

/** Anything can be thrown, also an object without a prototype, which String() refuses. */
function describeThrown(thrown: unknown): string {
  return typeof thrown === 'object' || typeof thrown === 'function' ? inspect(thrown) : String(thrown);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
