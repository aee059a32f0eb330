import type { CallOptions } from '@onevault/base';

export interface Changing {
  onChange(listener: () => void): Disposable;
}

/** Resolves when one of them tells of a change, or the signal is aborted. Changes are heard from the call on; whoever asks for ever leaves nothing behind on the signal. */
export async function nextChange(sources: readonly Changing[], { signal }: CallOptions): Promise<void> {
  let listeners: readonly Disposable[] = [];
  let ended = (): void => undefined;
  try {
    await new Promise<void>((resolve) => {
      ended = () => resolve();
      listeners = sources.map((source) => source.onChange(ended));
      if (signal?.aborted === true) resolve();
      else signal?.addEventListener('abort', ended, { once: true });
    });
  } finally {
    signal?.removeEventListener('abort', ended);
    for (const listener of listeners) listener[Symbol.dispose]();
  }
}
