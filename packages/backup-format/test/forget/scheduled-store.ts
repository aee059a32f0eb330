import type fc from 'fast-check';
import type { ObjectStore } from '../../src/index.ts';

/** A store whose operations wait until the scheduler lets them through, one by one; but the config, which nobody changes, is read at once. */
export function scheduledStore(inner: ObjectStore, scheduler: fc.Scheduler, name: string): ObjectStore {
  const turn = async <T>(what: string, key: string, act: () => Promise<T>): Promise<T> => {
    if (key !== 'onevault.json') await scheduler.schedule(Promise.resolve(), `${name} ${what} ${key}`);
    return await act();
  };
  return {
    location: inner.location,
    put: (key, body, options) => turn('put', key, () => inner.put(key, body, options)),
    create: (key, options) => turn('create', key, () => inner.create(key, options)),
    get: (key, options) => turn('get', key, () => inner.get(key, options)),
    stat: (key, options) => turn('stat', key, () => inner.stat(key, options)),
    async *list(prefix, options) {
      await turn('list', prefix, async () => undefined);
      yield* inner.list(prefix, options);
    },
    delete: (key, options) => turn('delete', key, () => inner.delete(key, options)),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}
