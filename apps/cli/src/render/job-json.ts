import type { Clock } from '@onevault/base';
import type { JobEvent } from '@onevault/orchestrator';
import type { JobRenderer } from './job-text.ts';
import { type Output, SCHEMA_VERSION } from './output.ts';
import { planDocument } from './plan-text.ts';

/** A program that draws a bar needs no more; one that archives the lines wants fewer. */
const PROGRESS_EVERY_MS = 500;

/** Events as JSON lines, unchanged but for the plan (no VM body) and progress (throttled; the last one of a phase always comes). */
export function jobJsonLines(output: Output, clock: Clock): JobRenderer {
  const lastMs = new Map<string, number>();
  return {
    emit(event) {
      if (event.type === 'disk.progress' && !due(event, lastMs, clock.monotonicMs())) return;
      output.stdout.write(`${JSON.stringify({ schemaVersion: SCHEMA_VERSION, ...eventDocument(event) })}\n`);
    },
    [Symbol.dispose]: () => undefined,
  };
}

function due(event: Extract<JobEvent, { readonly type: 'disk.progress' }>, lastMs: Map<string, number>, nowMs: number): boolean {
  const key = `${event.runId} ${event.diskId} ${event.phase}`;
  const last = lastMs.get(key);
  if (event.doneBytes < event.totalBytes && last !== undefined && nowMs - last < PROGRESS_EVERY_MS) return false;
  lastMs.set(key, nowMs);
  return true;
}

function eventDocument(event: JobEvent): object {
  return event.type === 'vm.planned' ? { ...event, plan: planDocument(event.plan) } : event;
}
