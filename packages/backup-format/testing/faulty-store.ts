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

/** What happens instead of nothing special. */
export type Fault =
  | undefined
  /** An error before the operation had any effect, or after it had all of it (the answer was torn). */
  | { readonly when: 'before' | 'after'; readonly error: Error }
  /** Latency: held on the way there, or, with its effect done, on the way back. */
  | { readonly when: 'before' | 'after'; readonly until: Promise<unknown> }
  /** The request arrives twice and the second answer is heard. A writer's `write` and `commit` cannot: they carry their place. */
  | { readonly when: 'twice' }
  /** A listing that breaks after so many entries; other operations fail before they begin. */
  | { readonly when: 'midway'; readonly listed: number; readonly error: Error };

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
    const writer = await this.#run(
      'create',
      key,
      () => this.#inner.create(key, options),
      (lost) => lost.abort(), // what nobody heard of, nobody can end
    );
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
    const fault = this.#next('list', prefix);
    if (fault && 'until' in fault) await fault.until;
    if (fault?.when === 'before' && 'error' in fault) throw fault.error;
    let listed = 0;
    for await (const found of this.#inner.list(prefix, options)) {
      if (fault?.when === 'midway' && listed++ === fault.listed) throw fault.error;
      yield found;
    }
    if (fault && 'error' in fault) throw fault.error;
  }

  delete(key: ObjectKey, options?: CallOptions): Promise<void> {
    return this.#run('delete', key, () => this.#inner.delete(key, options));
  }

  #next(kind: StoreOperation, key: ObjectKey): Fault {
    const writes = WRITES.has(kind);
    return this.#decide({ kind, key, n: writes ? ++this.writes : ++this.reads, writes });
  }

  async #run<T>(kind: StoreOperation, key: ObjectKey, work: () => Promise<T>, drop?: (result: T) => Promise<void>): Promise<T> {
    const fault = this.#next(kind, key);
    if (fault?.when === 'midway') throw fault.error;
    if (fault?.when === 'before') {
      if ('error' in fault) throw fault.error;
      await fault.until;
    }
    if (fault?.when === 'twice' && kind !== 'write' && kind !== 'commit') {
      const first = await work();
      await drop?.(first);
    }
    if (fault?.when === 'after') return answerLate(fault, await work(), drop);
    return work();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}

async function answerLate<T>(
  fault: { readonly error: Error } | { readonly until: Promise<unknown> },
  result: T,
  drop: ((result: T) => Promise<void>) | undefined,
): Promise<T> {
  if ('until' in fault) {
    await fault.until;
    return result;
  }
  if (!(fault.error instanceof Crash)) await drop?.(result); // a process that is dead gives nothing back
  throw fault.error;
}
