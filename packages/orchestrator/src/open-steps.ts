import type { CloudObject } from './cloud-object.ts';
import type { JournalRecord, KeptAs } from './journal.ts';

/** Something a run made, or was about to make. */
export interface Step {
  readonly number: number;
  readonly object: CloudObject;
  /** Undefined until the answer that carries it has come. */
  id: number | undefined;
  /** Why it could not be taken back, the last time that was tried. */
  failure?: unknown;
}

/** Steps with an intent and neither `undone` nor `kept`, in the order they were begun: they may or may not have happened. */
export function openSteps(records: readonly JournalRecord[]): Step[] {
  const open = new Map(allSteps(records));
  for (const record of records) {
    if (record.type === 'undone') open.delete(record.step);
    if (record.type === 'kept') for (const step of record.steps) open.delete(step);
  }
  return [...open.values()];
}

/** What a run made and meant to stay; not what it took back all the same, because it was not sure to have written that down. */
export function keptSteps(records: readonly JournalRecord[]): Step[] {
  const kept = new Set(records.flatMap((record) => (record.type === 'kept' ? record.steps : [])));
  for (const record of records) if (record.type === 'undone') kept.delete(record.step);
  return [...allSteps(records).values()].filter((step) => kept.has(step.number));
}

/** As what they were kept: a run keeps once, when it is whole or when it has failed. */
export function keptAs(records: readonly JournalRecord[]): KeptAs {
  return records.some((record) => record.type === 'kept' && record.as === 'failed') ? 'failed' : 'whole';
}

function allSteps(records: readonly JournalRecord[]): Map<number, Step> {
  const steps = new Map<number, Step>();
  for (const record of records) {
    if (record.type === 'intent') steps.set(record.step, { number: record.step, object: record.object, id: undefined });
    const begun = record.type === 'done' ? steps.get(record.step) : undefined;
    if (record.type === 'done' && begun !== undefined) begun.id = record.id;
  }
  return steps;
}

/** Called as the user wanted it; what merely serves a run carries the run's id in its name. */
export function isProduct({ object }: Step, runId: string): boolean {
  if (object.kind === 'disk') return true;
  return (object.kind === 'image' || object.kind === 'vm') && !object.name.includes(runId);
}
