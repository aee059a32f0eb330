import type { CallOptions } from '@onevault/base';
import { type GetOptions, type ObjectKey, type ObjectStat, type ObjectStore, type ObjectWriter, type PutOptions, RepositoryError } from '../src/index.ts';

export type StoreOperation = 'put' | 'create' | 'write' | 'commit' | 'delete' | 'get' | 'stat' | 'list';
const WRITES: ReadonlySet<StoreOperation> = new Set(['put', 'create', 'write', 'commit', 'delete']);

export interface Operation {
  readonly kind: StoreOperation;
  readonly key: ObjectKey;
  /** Operations of this kind of effect so far, this one included: writes and reads are counted apart. */
  readonly n: number;
  readonly writes: boolean;
}

/** What happens instead: nothing special, an error before the operation had any effect, or an error after it had its effect. */
export type Fault = undefined | { readonly when: 'before' | 'after'; readonly error: Error };

export interface FaultyStore extends ObjectStore {
  readonly writes: number;
  readonly reads: number;
}

/** A store whose operations fail as `decide` says; everything else goes to the inner store. */
export function faultyStore(inner: ObjectStore, decide: (operation: Operation) => Fault): FaultyStore {
  return new Faulty(inner, decide);
}

/**
 * Ends the process, as far as the store can tell, at its `n`-th write: that one happens or not, nothing after it does, reads included.
 * `writes` then says whether the run was longer than that.
 */
export function crashAtWrite(n: number, when: 'before' | 'after'): (operation: Operation) => Fault {
  let crashed = false;
  return (operation) => {
    const error = new Crash(`crash ${when} write ${n}`);
    if (crashed) return { when: 'before', error };
    if (!operation.writes || operation.n !== n) return undefined;
    crashed = true;
    return { when, error };
  };
}

/** From the `n`-th write on there is no space. */
export function fullFromWrite(n: number): (operation: Operation) => Fault {
  return ({ kind, key, n: at }) => {
    if (at < n || (kind !== 'put' && kind !== 'create' && kind !== 'write' && kind !== 'commit')) return undefined;
    return { when: 'before', error: new RepositoryError({ code: 'REPO_NO_SPACE', message: `no space left to write ${key}`, details: { key } }) };
  };
}

/** Not one of ours: a crash is not an answer of the store. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

class Faulty implements FaultyStore {
  readonly location: string;
  writes = 0;
  reads = 0;
  readonly #inner: ObjectStore;
  readonly #decide: (operation: Operation) => Fault;

  constructor(inner: ObjectStore, decide: (operation: Operation) => Fault) {
    this.location = inner.location;
    this.#inner = inner;
    this.#decide = decide;
  }

  put(key: ObjectKey, body: Uint8Array, options?: PutOptions): Promise<'created' | 'existed'> {
    return this.#run('put', key, () => this.#inner.put(key, body, options));
  }

  async create(key: ObjectKey, options?: CallOptions): Promise<ObjectWriter> {
    const writer = await this.#run('create', key, () => this.#inner.create(key, options));
    return {
      write: (parts, call) => this.#run('write', key, () => writer.write(parts, call)),
      commit: (call) => this.#run('commit', key, () => writer.commit(call)),
      abort: () => writer.abort(),
    };
  }

  get(key: ObjectKey, options?: GetOptions): Promise<Uint8Array> {
    return this.#run('get', key, () => this.#inner.get(key, options));
  }

  stat(key: ObjectKey, options?: CallOptions): Promise<ObjectStat | undefined> {
    return this.#run('stat', key, () => this.#inner.stat(key, options));
  }

  async *list(prefix: string, options?: CallOptions): AsyncIterable<ObjectStat> {
    await this.#run('list', prefix, async () => undefined);
    yield* this.#inner.list(prefix, options);
  }

  delete(key: ObjectKey, options?: CallOptions): Promise<void> {
    return this.#run('delete', key, () => this.#inner.delete(key, options));
  }

  async #run<T>(kind: StoreOperation, key: ObjectKey, work: () => Promise<T>): Promise<T> {
    const writes = WRITES.has(kind);
    const fault = this.#decide({ kind, key, n: writes ? ++this.writes : ++this.reads, writes });
    if (fault?.when === 'before') throw fault.error;
    const result = await work();
    if (fault) throw fault.error;
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}
