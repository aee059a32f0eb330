import type { FileHandle } from 'node:fs/promises';

type FileSystem = typeof import('node:fs/promises');

/** What the file store asks of the system, counted from 1; `decide` may make a call fail with a code instead of, or in spite of, what it did. */
export const systemCalls: { count: number; decide: (call: SystemCall) => { readonly when: 'before' | 'after'; readonly code: string } | undefined } = {
  count: 0,
  decide: () => undefined,
};

export interface SystemCall {
  readonly name: string;
  readonly n: number;
}

/** For `vi.mock('node:fs/promises')`. */
export function failingFileSystem(real: FileSystem): FileSystem {
  const failing = { ...real } as Record<string, unknown>;
  for (const name of ['link', 'mkdir', 'readdir', 'rename', 'stat', 'unlink'] as const) failing[name] = asCall(name, real[name].bind(real) as AnyCall);
  failing['open'] = asCall('open', async (...args) => failingHandle(await real.open(...(args as Parameters<FileSystem['open']>))));
  return failing as unknown as FileSystem;
}

type AnyCall = (...args: unknown[]) => Promise<unknown>;

function failingHandle(handle: FileHandle): FileHandle {
  return new Proxy(handle, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== 'function') return value;
      const bound = value.bind(target) as AnyCall;
      return ['read', 'writev', 'sync', 'close', 'stat'].includes(String(property)) ? asCall(`handle.${String(property)}`, bound) : bound;
    },
  });
}

function asCall(name: string, work: AnyCall): AnyCall {
  return async (...args) => {
    const fault = systemCalls.decide({ name, n: ++systemCalls.count });
    // A close that fails has closed.
    if (fault?.when === 'before' && name !== 'handle.close') throw systemError(name, fault.code);
    const result = await work(...args);
    if (fault) throw systemError(name, fault.code);
    return result;
  };
}

function systemError(name: string, code: string): Error {
  return Object.assign(new Error(`${code}: made to fail, ${name}`), { code, syscall: name });
}
