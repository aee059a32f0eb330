import { setMaxListeners } from 'node:events';

/** A signal that is aborted with the first of several. Unlike AbortSignal.any it is given back: nothing of it hangs on to the ones that live long. */
export function linkedSignal(signals: readonly AbortSignal[]): { readonly signal: AbortSignal; readonly abort: () => void } & Disposable {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  for (const signal of signals) {
    setMaxListeners(0, signal); // as many as there are requests; each takes its own away
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  }
  return {
    signal: controller.signal,
    abort,
    [Symbol.dispose]: () => {
      for (const signal of signals) signal.removeEventListener('abort', abort);
    },
  };
}
