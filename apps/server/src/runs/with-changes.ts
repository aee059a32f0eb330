import type { StreamEvent } from '@onevault/api';

/** VMs whose restore points are others than before. */
export interface PointChanges {
  onChange(listener: (vmIds: ReadonlySet<number>) => void): Disposable;
}

/**
 * Events, and between them what has changed meanwhile: once, however often it did while nobody took it. `tell` makes the event of it, or none. Memory: an id for each VM that
 * changed since the last event was taken.
 */
export async function* withChanges(
  events: AsyncIterable<StreamEvent>,
  changes: PointChanges,
  tell: (vmIds: readonly number[]) => StreamEvent | undefined,
): AsyncGenerator<StreamEvent, void, undefined> {
  const changed = new Set<number>();
  let wake = (): void => undefined;
  using _listener = changes.onChange((vmIds) => {
    for (const id of vmIds) changed.add(id);
    wake();
  });
  const source = events[Symbol.asyncIterator]();
  try {
    let next = source.next();
    for (;;) {
      const woken = new Promise<undefined>((resolve) => {
        wake = () => resolve(undefined);
      });
      const told = changed.size > 0 ? tell([...changed]) : undefined;
      changed.clear();
      if (told !== undefined) yield told;
      const result = await Promise.race([next, woken]);
      if (result === undefined) continue;
      if (result.done === true) return;
      yield result.value;
      next = source.next();
    }
  } finally {
    // A source that waits ends with the signal that it was given.
    void Promise.resolve(source.return?.()).catch(() => undefined);
  }
}
