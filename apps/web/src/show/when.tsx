import { useSyncExternalStore } from 'react';
import { formatAge, formatLocal } from './format.ts';

/** One timer for every time on the page. */
const listeners = new Set<() => void>();
let nowMs = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    nowMs = Date.now();
    for (const each of listeners) each();
  }, 5000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The time, renewed every few seconds. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => nowMs);
}

/** A moment in the zone of whoever looks, UTC on hover. `age`: how long ago instead. */
export function When({ at, age = false, seconds = false }: { readonly at: string | undefined; readonly age?: boolean; readonly seconds?: boolean }) {
  if (at === undefined) return <span className="ov-dim">–</span>;
  return age ? <Age at={at} /> : <Moment at={at}>{formatLocal(new Date(at), { seconds })}</Moment>;
}

function Age({ at }: { readonly at: string }) {
  const now = Math.max(useNow(), 0);
  return <Moment at={at}>{formatAge(new Date(at).getTime(), now)}</Moment>;
}

function Moment({ at, children }: { readonly at: string; readonly children: string }) {
  const moment = new Date(at);
  return (
    <time dateTime={at} title={`${formatLocal(moment, { seconds: true })} here\n${moment.toISOString()}`} className="ov-time">
      {children}
    </time>
  );
}
