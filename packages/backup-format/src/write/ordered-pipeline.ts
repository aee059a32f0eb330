import { type CallOptions, Semaphore } from '@onevault/base';

/**
 * Prepares items side by side and applies them one by one in the order they were pushed. Unlike a mapping generator it never waits for the next item
 * before it applies the last one: the source may be waiting for memory that only applying gives back.
 * Order and failure: after the first failure nothing more is applied; `push` and `drain` throw it.
 */
export class OrderedPipeline {
  readonly #slots: Semaphore;
  readonly #onFailure: () => void;
  #tail: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;

  /** `onFailure` runs at once when the first failure happens, while `push` may not be called for long. */
  constructor(concurrency: number, onFailure: () => void) {
    this.#slots = new Semaphore(concurrency);
    this.#onFailure = onFailure;
  }

  /** Resolves when there is room for the item, not when it is done. */
  async push<T>(prepare: () => Promise<T>, apply: (prepared: T) => Promise<void>, options: CallOptions = {}): Promise<void> {
    this.#throwFailure();
    const slot = await this.#slots.take(1, options);
    if (this.#failure) slot[Symbol.dispose]();
    this.#throwFailure();
    const prepared = prepare();
    prepared.catch(() => undefined); // thrown in its turn
    this.#tail = this.#tail
      .then(() => prepared)
      .then((value) => (this.#failure ? undefined : apply(value)))
      .catch((error: unknown) => this.#fail(error))
      .finally(() => slot[Symbol.dispose]());
  }

  /** Waits for everything pushed. */
  async drain(): Promise<void> {
    await this.#tail;
    this.#throwFailure();
  }

  #fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    this.#onFailure();
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }
}
