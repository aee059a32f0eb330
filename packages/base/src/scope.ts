/**
 * Owns what must be given back, in reverse order. Node 20 has no AsyncDisposableStack; this is the part of it we need.
 * Every clean-up runs even when an earlier one fails; failures are collected into one AggregateError.
 */
export class Scope implements AsyncDisposable {
  #cleanups: (() => void | Promise<void>)[] = [];

  use<T extends AsyncDisposable | Disposable | null | undefined>(resource: T): T {
    if (resource != null) this.defer(() => dispose(resource));
    return resource;
  }

  defer(cleanup: () => void | Promise<void>): void {
    this.#cleanups.push(cleanup);
  }

  /** Hands everything owned so far to a new scope: the way to return a resource that was built under this one. */
  move(): Scope {
    const next = new Scope();
    next.#cleanups = this.#cleanups;
    this.#cleanups = [];
    return next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (let cleanup = this.#cleanups.pop(); cleanup; cleanup = this.#cleanups.pop()) {
      try {
        await cleanup();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, `${failures.length} clean-ups failed`);
  }
}

async function dispose(resource: AsyncDisposable | Disposable): Promise<void> {
  if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]();
  else resource[Symbol.dispose]();
}
