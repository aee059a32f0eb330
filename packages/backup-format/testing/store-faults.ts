import { RepositoryError } from '../src/index.ts';
import type { Fault, Operation } from './faulty-store.ts';

/** Something to wait for, opened by the test. */
export interface Gate {
  readonly until: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  let open: () => void = () => undefined;
  const until = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { until, open };
}

/**
 * Everything that a retrying store absorbs, on every `n`-th operation in turn: calls that fail before they begin, torn answers, listings that break in the middle.
 * A `write` never fails, a `commit` only in its answer: those are not repeated.
 */
export function transientFaults(n: number): (operation: Operation) => Fault {
  let operations = 0;
  return ({ kind, key }) => {
    if (kind === 'write' || ++operations % n !== 0) return undefined;
    const error = new RepositoryError({ code: 'REPO_STORE_FAILED', message: `no answer to ${kind} ${key}`, details: { key }, retryable: true });
    const turn = operations / n;
    if (kind === 'list') return { when: 'midway', listed: turn % 3, error };
    return { when: kind === 'commit' || turn % 2 === 0 ? 'after' : 'before', error };
  };
}

/** Requests overtake each other on the way there and answers on the way back: of those under way one goes on with every turn of the event loop, by chance. */
export function shuffledCompletion(random: { int(below: number): number }): (operation: Operation) => Fault {
  const held: (() => void)[] = [];
  function releaseOne(): void {
    const [open] = held.splice(random.int(held.length), 1);
    open?.();
    if (held.length > 0) setImmediate(releaseOne);
  }
  return () => {
    const { until, open } = gate();
    held.push(open);
    if (held.length === 1) setImmediate(releaseOne);
    return { when: random.int(2) === 0 ? 'before' : 'after', until };
  };
}
