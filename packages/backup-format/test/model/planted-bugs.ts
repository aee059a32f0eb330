import type { CallOptions } from '@onevault/base';
import type { ObjectStore, ObjectWriter } from '../../src/index.ts';
import { LeaseWatch, type ObservedLease } from '../../src/lease/lease-watch.ts';
import { StandingPacks } from '../../src/pack/standing-packs.ts';
import { ChunkSink } from '../../src/write/chunk-sink.ts';
import type { Decorate } from './sequence.ts';

/** The same store with some of its calls replaced. */
export function storeWith(inner: ObjectStore, changed: Partial<ObjectStore>): ObjectStore {
  return {
    location: inner.location,
    put: changed.put ?? ((key, body, options) => inner.put(key, body, options)),
    create: changed.create ?? ((key, options) => inner.create(key, options)),
    get: changed.get ?? ((key, options) => inner.get(key, options)),
    stat: changed.stat ?? ((key, options) => inner.stat(key, options)),
    list: changed.list ?? ((prefix, options) => inner.list(prefix, options)),
    delete: changed.delete ?? ((key, options) => inner.delete(key, options)),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

/** A writer whose commit answers before anything is durable. */
function hasty(writer: ObjectWriter, started: (commit: Promise<void>) => void): ObjectWriter {
  return {
    write: (parts, options) => writer.write(parts, options),
    commit: async () => {
      const commit = writer.commit();
      commit.catch(() => undefined);
      started(commit);
    },
    abort: () => Promise.resolve(),
  };
}

/** Packs are made durable only when the manifest is there. */
export const manifestBeforeData: Decorate = (inner) => {
  const commits: (() => Promise<void>)[] = [];
  return storeWith(inner, {
    create: async (key, options) => {
      const writer = await inner.create(key, options);
      if (!key.startsWith('packs/')) return writer;
      return {
        write: (parts, call) => writer.write(parts, call),
        commit: async () => void commits.push(() => writer.commit()),
        abort: () => Promise.resolve(),
      };
    },
    put: async (key, body, options) => {
      const outcome = await inner.put(key, body, options);
      if (key.startsWith('points/')) for (const commit of commits.splice(0)) await commit();
      return outcome;
    },
  });
};

/** Packs are waited for only before the manifest: tables may name packs that never come. */
export const tableBeforePack: Decorate = (inner) => {
  const commits: Promise<void>[] = [];
  return storeWith(inner, {
    create: async (key, options) => {
      const writer = await inner.create(key, options);
      return key.startsWith('packs/') ? hasty(writer, (commit) => commits.push(commit)) : writer;
    },
    put: async (key, body, options) => {
      if (key.startsWith('points/')) await Promise.all(commits);
      return inner.put(key, body, options);
    },
  });
};

/** A run counts on chunks that another one has only begun to store. Ends the bug when disposed. */
export function dedupWithoutDurability(): Disposable {
  const claimed = new Set<string>();
  const { claim } = ChunkSink.prototype;
  ChunkSink.prototype.claim = async function (digest: Uint8Array, confirm: boolean, options: CallOptions): Promise<boolean> {
    const name = Buffer.from(digest).toString('hex');
    if (claimed.has(name)) return false;
    const must = await claim.call(this, digest, confirm, options);
    if (must) claimed.add(name);
    return must;
  };
  return {
    [Symbol.dispose]: () => {
      ChunkSink.prototype.claim = claim;
    },
  };
}

/** Runs count on what an index table says without looking whether there is such a pack. Ends the bug when disposed. */
export function packsNotLookedFor(): Disposable {
  const { stands } = StandingPacks.prototype;
  StandingPacks.prototype.stands = () => Promise.resolve(true);
  return {
    [Symbol.dispose]: () => {
      StandingPacks.prototype.stands = stands;
    },
  };
}

/** Whoever looks at leases sees those of garbage collections only: a collection does not know that anybody writes. Ends the bug when disposed. */
export function collectionBlindToWriters(): Disposable {
  const { observe } = LeaseWatch.prototype;
  LeaseWatch.prototype.observe = async function (options?: CallOptions): Promise<ObservedLease[]> {
    return (await observe.call(this, options)).filter(({ record }) => record?.kind === 'exclusive');
  };
  return {
    [Symbol.dispose]: () => {
      LeaseWatch.prototype.observe = observe;
    },
  };
}
