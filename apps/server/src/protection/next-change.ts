import type { CallOptions } from '@onevault/base';

export interface Changing {
  onChange(listener: () => void): Disposable;
}

/** Resolves when one of them tells of a change, or the signal is aborted. Changes are heard from the call on. */
export async function nextChange(sources: readonly Changing[], { signal }: CallOptions): Promise<void> {
  let listeners: readonly Disposable[] = [];
  try {
    await new Promise<void>((resolve) => {
      listeners = sources.map((source) => source.onChange(resolve));
      if (signal?.aborted === true) resolve();
      else signal?.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    for (const listener of listeners) listener[Symbol.dispose]();
  }
}
