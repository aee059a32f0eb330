/** The last parameter of every call that waits. An aborted call rejects with `signal.reason`, untouched. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}
