import type { CallOptions } from '@onevault/base';
import { objectExists, objectMissing, objectTooShort } from './object-errors.ts';
import { checkKey, type GetOptions, type ObjectKey, type ObjectStat, type ObjectStore, type ObjectWriter, type PutOptions } from './object-store.ts';

/** Keeps objects in this process: for tests, and as the plainest reading of the store's contract. */
export function memoryStore(name = 'memory'): ObjectStore {
  return new MemoryStore(name);
}

class MemoryStore implements ObjectStore {
  readonly location: string;
  readonly #objects = new Map<ObjectKey, Uint8Array>();

  constructor(name: string) {
    this.location = name;
  }

  async put(key: ObjectKey, body: Uint8Array, options: PutOptions = {}): Promise<'created' | 'existed'> {
    checkKey(key);
    options.signal?.throwIfAborted();
    if (options.ifAbsent && this.#objects.has(key)) return 'existed';
    this.#objects.set(key, new Uint8Array(body)); // a copy, also of a Buffer, whose slice() is none
    return 'created';
  }

  async create(key: ObjectKey, options: CallOptions = {}): Promise<ObjectWriter> {
    checkKey(key);
    options.signal?.throwIfAborted();
    let parts: Uint8Array[] | undefined = [];
    return {
      write: async (more, { signal } = {}) => {
        signal?.throwIfAborted();
        if (!parts) throw new TypeError(`${key} is written after its end`);
        for (const part of more) parts.push(new Uint8Array(part));
      },
      commit: async ({ signal } = {}) => {
        signal?.throwIfAborted();
        if (!parts) throw new TypeError(`${key} is committed after its end`);
        if (this.#objects.has(key)) throw objectExists(key);
        this.#objects.set(key, new Uint8Array(Buffer.concat(parts)));
        parts = undefined;
      },
      abort: async () => {
        parts = undefined;
      },
    };
  }

  async get(key: ObjectKey, options: GetOptions = {}): Promise<Uint8Array> {
    checkKey(key);
    options.signal?.throwIfAborted();
    const body = this.#objects.get(key);
    if (!body) throw objectMissing(key);
    const { offset, length } = options.range ?? { offset: 0, length: body.length };
    if (offset + length > body.length) throw objectTooShort(key, offset, length, body.length);
    return body.slice(offset, offset + length);
  }

  async stat(key: ObjectKey, options: CallOptions = {}): Promise<ObjectStat | undefined> {
    checkKey(key);
    options.signal?.throwIfAborted();
    const body = this.#objects.get(key);
    return body && { key, sizeBytes: body.length };
  }

  async *list(prefix: string, options: CallOptions = {}): AsyncIterable<ObjectStat> {
    for (const key of [...this.#objects.keys()].filter((candidate) => candidate.startsWith(prefix)).sort()) {
      options.signal?.throwIfAborted();
      const body = this.#objects.get(key);
      if (body) yield { key, sizeBytes: body.length };
    }
  }

  async delete(key: ObjectKey, options: CallOptions = {}): Promise<void> {
    checkKey(key);
    options.signal?.throwIfAborted();
    this.#objects.delete(key);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(); // holds nothing between calls
  }
}
