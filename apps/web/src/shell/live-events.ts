import type { StreamEvent } from '@onevault/api';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';
import { readEvents, type StreamStanding } from '../api/event-stream.ts';
import { API } from '../api/http.ts';

export interface LiveDisk {
  readonly phase: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}
type LiveDisks = ReadonlyMap<number, LiveDisk>;

/** What the one stream of the whole page has said lately: where each running run is. */
let standing: StreamStanding = 'waiting';
const progress = new Map<string, LiveDisks>();
const listeners = new Set<() => void>();
/** More runs than can run at once: what ended is dropped, and this is the limit for what never says so. */
const MOST_RUNS = 500;

function changed(): void {
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function note({ runId, type, data }: StreamEvent): boolean {
  if (runId === undefined) return false;
  if (type === 'run.finished') return progress.delete(runId);
  if (type !== 'disk.progress') return false;
  const { diskId, phase, doneBytes, totalBytes } = data;
  if (typeof diskId !== 'number' || typeof doneBytes !== 'number' || typeof totalBytes !== 'number') return false;
  if (!progress.has(runId) && progress.size >= MOST_RUNS) progress.clear();
  progress.set(runId, new Map(progress.get(runId)).set(diskId, { phase: String(phase), doneBytes, totalBytes }));
  return true;
}

/** What is asked again when something other than progress happens: lists and counts, at most once in so many ms. */
const STALE_WITH_RUNS = ['overview', 'runs', 'vms', 'vm', 'points', 'snapshots', 'undo-sets', 'repositories', 'point', 'orphans'] as const;
const RENEW_MS = 1000;

/** Reads the server's events for as long as the frame is there. */
export function useServerEvents(): void {
  const client = useQueryClient();
  useEffect(() => {
    const end = new AbortController();
    let renewal: ReturnType<typeof setTimeout> | undefined;
    const renew = (): void => {
      renewal ??= setTimeout(() => {
        renewal = undefined;
        for (const key of STALE_WITH_RUNS) void client.invalidateQueries({ queryKey: [key] });
      }, RENEW_MS);
    };
    void readEvents(`${API}/events`, {
      signal: end.signal,
      onEvent: (event) => {
        if (note(event)) changed();
        if (event.type.startsWith('run.') || event.type === 'restore-point.committed' || event.type === 'points.changed') renew();
      },
      onStanding: (now) => {
        if (now === standing) return;
        standing = now;
        changed();
        if (now === 'open') renew();
      },
    });
    return () => {
      end.abort();
      clearTimeout(renewal);
    };
  }, [client]);
}

export function useStreamStanding(): StreamStanding {
  return useSyncExternalStore(subscribe, () => standing);
}

export function useLiveDisks(runId: string): LiveDisks | undefined {
  return useSyncExternalStore(subscribe, () => progress.get(runId));
}
