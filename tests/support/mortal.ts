import type { OneApi } from '@onevault/one-client';
import type { Journal, JournalRecord, JournalStore } from '@onevault/orchestrator';

/** What a call of a process that is gone answers: nothing, ever. Here it throws, so that what waits for it ends and nothing is left open. */
class ProcessGone extends Error {
  override readonly name = 'ProcessGone';
}

/** A place between two lines where a process can die. */
export interface Moment {
  /** `before createDiskSnapshot`, `after append done`. */
  readonly name: string;
  /** Journal records and changing calls until then: moments with the same figures are the same for everybody but the process that dies. */
  readonly progress: string;
}

/** The calls that change something in the cloud. */
const CHANGING: ReadonlySet<keyof OneApi> = new Set([
  'createDiskSnapshot',
  'deleteDiskSnapshot',
  'revertDiskSnapshot',
  'saveDiskAs',
  'attachDisk',
  'detachDisk',
  'vmAction',
  'updateVm',
  'updateVmConfiguration',
  'updateImage',
  'chownVm',
  'chmodVm',
  'chownImage',
  'chmodImage',
  'allocateImage',
  'deleteImage',
  'setImagePersistent',
  'allocateTemplate',
  'instantiateTemplate',
  'deleteTemplate',
]);

export function isChanging(method: string): boolean {
  return (CHANGING as ReadonlySet<string>).has(method);
}

/**
 * A process that dies at its `dieAt`-th moment (from 0), or never: before and after each call of OpenNebula and after each write of its journal. What was
 * done until then is done; of what comes later nothing happens.
 */
export class Mortal {
  readonly moments: Moment[] = [];
  readonly records: JournalRecord[] = [];
  #changes = 0;
  #dead = false;
  readonly #end = new AbortController();
  readonly #dieAt: (name: string, at: number) => boolean;

  /** A moment's number (from 0), or what picks it. */
  constructor(dieAt?: number | ((name: string) => boolean)) {
    this.#dieAt = typeof dieAt === 'function' ? dieAt : (_, at) => at === dieAt;
  }

  /** Ends what the process does beside OpenNebula: a repository that is written to further on, say. */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  get died(): Moment | undefined {
    return this.#dead ? this.moments.at(-1) : undefined;
  }

  #pass(name: string): void {
    if (this.#dead) throw new ProcessGone(name);
    const at = this.moments.push({ name, progress: `${this.records.length} records, ${this.#changes} changes` }) - 1;
    if (!this.#dieAt(name, at)) return;
    this.#dead = true;
    this.#end.abort(new ProcessGone(name));
    throw new ProcessGone(name);
  }

  cloud(real: OneApi): OneApi {
    return new Proxy(real, {
      get: (target, property: keyof OneApi) => {
        const value = target[property];
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          const call = (): unknown => Reflect.apply(value, target, args);
          return LISTS.has(property) ? this.#list(property, call as () => AsyncIterable<unknown>) : this.#call(property, call as () => Promise<unknown>);
        };
      },
    });
  }

  async #call(name: string, call: () => Promise<unknown>): Promise<unknown> {
    this.#pass(`before ${name}`);
    try {
      return await call();
    } finally {
      if (isChanging(name)) this.#changes++;
      this.#pass(`after ${name}`);
    }
  }

  async *#list(name: string, call: () => AsyncIterable<unknown>): AsyncGenerator {
    this.#pass(`before ${name}`);
    yield* call();
    this.#pass(`after ${name}`);
  }

  journals(real: JournalStore): JournalStore {
    return {
      ...real,
      create: async (run) => {
        this.#pass('before create');
        const journal = await real.create(run);
        this.records.push(run);
        try {
          this.#pass('after create');
        } catch (error) {
          await journal[Symbol.asyncDispose]();
          throw error;
        }
        return this.#journal(journal);
      },
      residue: {
        ...real.residue,
        put: async (residue) => {
          this.#pass('before put');
          await real.residue.put(residue);
          this.#pass('after put');
        },
      },
    };
  }

  #journal(real: Journal): Journal {
    return {
      append: async (record) => {
        if (this.#dead) throw new ProcessGone('append');
        await real.append(record);
        this.records.push(record);
        this.#pass(`after append ${record.type}`);
      },
      finish: async () => {
        if (this.#dead) throw new ProcessGone('finish');
        await real.finish();
        this.records.push({ type: 'unknown', line: 'finished' });
        this.#pass('after finish');
      },
      [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
    };
  }
}

const LISTS: ReadonlySet<keyof OneApi> = new Set<keyof OneApi>(['vms', 'images', 'templates']);
