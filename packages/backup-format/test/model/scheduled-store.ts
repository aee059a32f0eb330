import { type ObjectStat, type ObjectStore, type ObjectWriter, RepositoryError } from '../../src/index.ts';
import { Crash } from '../../testing/index.ts';
import type { Operation, Process, Scheduler } from './scheduler.ts';

/** Keys that one page of a listing brings: what is made or removed between two pages may or may not appear, as with an object store. */
const LIST_PAGE = 4;
/** How often an operation without conditions is sent twice, as a client does that heard no answer. */
const DUPLICATED = 0.03;

/** The store as one process sees it: every operation waits for its turn, and its answer for another one. */
export class ScheduledStore implements ObjectStore {
  readonly location: string;
  readonly #inner: ObjectStore;
  readonly #scheduler: Scheduler;
  readonly #process: Process;
  readonly #chance: () => number;

  constructor(inner: ObjectStore, scheduler: Scheduler, process: Process, chance: () => number) {
    this.location = inner.location;
    this.#inner = inner;
    this.#scheduler = scheduler;
    this.#process = process;
    this.#chance = chance;
  }

  put: ObjectStore['put'] = (key, body, options = {}) => {
    const copy = new Uint8Array(body);
    return this.#operation('put', key, options, true, !options.ifAbsent, () => this.#inner.put(key, copy, { ifAbsent: options.ifAbsent ?? false }));
  };

  create: ObjectStore['create'] = async (key, options = {}) => {
    this.#checkAlive();
    options.signal?.throwIfAborted();
    const writer = await this.#inner.create(key);
    return {
      write: (parts, call) => writer.write(parts, call),
      commit: (call = {}) => this.#operation('commit', key, call, true, false, () => writer.commit()),
      abort: () => writer.abort(),
    } satisfies ObjectWriter;
  };

  get: ObjectStore['get'] = (key, options = {}) => {
    const { range } = options;
    return this.#operation('get', key, options, false, false, () => this.#inner.get(key, range ? { range } : {}));
  };

  stat: ObjectStore['stat'] = (key, options = {}) => this.#operation('stat', key, options, false, false, () => this.#inner.stat(key));

  async *list(prefix: string, options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<ObjectStat, void> {
    let after = '';
    for (;;) {
      const page = await this.#operation('list', `${prefix}* after ${after}`, options, false, false, () => this.#page(prefix, after));
      yield* page;
      if (page.length < LIST_PAGE) return;
      after = page.at(-1)?.key ?? '';
    }
  }

  async #page(prefix: string, after: string): Promise<ObjectStat[]> {
    const page: ObjectStat[] = [];
    for await (const found of this.#inner.list(prefix)) {
      if (found.key > after) page.push(found);
      if (page.length === LIST_PAGE) break;
    }
    return page;
  }

  delete: ObjectStore['delete'] = (key, options = {}) => this.#operation('delete', key, options, true, true, () => this.#inner.delete(key));

  async #operation<T>(
    kind: string,
    key: string,
    { signal }: { readonly signal?: AbortSignal },
    writes: boolean,
    repeatable: boolean,
    effect: () => Promise<T>,
  ): Promise<T> {
    this.#checkAlive();
    signal?.throwIfAborted();
    const process = this.#process;
    process.operations += 1;
    const operation: Operation = { process, kind, key, writes };
    const { fault } = process.fate;
    const failing = fault?.atOperation === process.operations ? fault.when : undefined;
    await this.#scheduler.turn(operation, 'effect');
    if (process.dead && this.#chance() < 0.5) this.#checkAlive(); // what a dying process has sent may still arrive
    if (process.dead && !writes) this.#checkAlive();
    if (failing === 'before') throw storeFailed(kind, key);
    this.#countWrite(writes, 'before');
    const result = await effect();
    if (writes) await this.#scheduler.written(operation);
    this.#countWrite(writes, 'after');
    this.#checkAlive();
    if (repeatable && this.#chance() < DUPLICATED) {
      await this.#scheduler.turn({ ...operation, kind: `${kind} again` }, 'effect');
      this.#checkAlive();
      await effect();
      await this.#scheduler.written(operation);
    }
    await this.#scheduler.turn(operation, 'answer');
    this.#checkAlive();
    if (failing === 'after') throw storeFailed(kind, key);
    return result;
  }

  #countWrite(writes: boolean, when: 'before' | 'after'): void {
    const { fate, name, dead } = this.#process;
    if (!writes || dead) return;
    if (when === 'before') this.#process.writes += 1;
    if (fate.crash?.atWrite !== this.#process.writes || fate.crash.when !== when) return;
    this.#process.dead = true;
    this.#scheduler.note(`          ${name} dies ${when} write ${this.#process.writes}`);
    throw new Crash(`${name} died`);
  }

  #checkAlive(): void {
    if (this.#process.dead) throw new Crash(`${this.#process.name} is dead`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

function storeFailed(kind: string, key: string): RepositoryError {
  return new RepositoryError({ code: 'REPO_STORE_FAILED', message: `${kind} ${key} failed`, details: { key }, retryable: true });
}
