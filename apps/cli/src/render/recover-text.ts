import type { RecoveredObject, RecoveredRun, RecoverReport, RetriedResidue } from '@onevault/orchestrator';
import type { Column } from './table.ts';
import { count, formatTime } from './units.ts';

/** What was done about one dead run, for people. */
export function cleanedLines({ runId, about, removed, kept }: RecoveredRun): string[] {
  const did = removed.length === 0 ? 'it had left nothing' : `${count(removed.length, 'object')} taken away`;
  return [
    `run ${runId} (${about}) had died: ${did}`,
    ...removed.map(({ object, label }) => `  ${doneWith(object)} ${label}`),
    ...kept.map(({ label }) => `  kept ${label}: it was finished`),
  ];
}

const DONE: Readonly<Partial<Record<RecoveredObject['object']['kind'], string>>> = {
  power: 'started',
  revert: 'finished',
  swap: 'brought the old disks back:',
  overwrite: 'gave its persistence back to',
};

/** Not everything that is taken back is removed: nobody should read that a VM was. */
export function doneWith({ kind }: RecoveredObject['object']): string {
  return DONE[kind] ?? 'removed';
}

export const RECOVERED_COLUMNS: readonly Column<RecoveredRun>[] = [
  { name: 'RUN', value: (run) => run.runId },
  { name: 'KIND', value: (run) => run.kind },
  { name: 'ABOUT', value: (run) => run.about },
  { name: 'STARTED', value: (run) => formatTime(run.startedAt) },
  { name: 'OUTCOME', value: (run) => run.outcome },
  { name: 'REMOVED', align: 'right', value: (run) => run.removed.length },
  { name: 'KEPT', align: 'right', value: (run) => run.kept.length },
  { name: 'LEFT', align: 'right', value: (run) => run.left.length },
];

export const RESIDUE_COLUMNS: readonly Column<RetriedResidue>[] = [
  { name: 'STAYS', value: (residue) => residue.label },
  { name: 'RUN', value: (residue) => residue.runId },
  { name: 'SINCE', value: (residue) => formatTime(residue.since) },
  { name: 'OUTCOME', value: (residue) => residue.outcome },
  { name: 'WHY', value: (residue) => (residue.outcome === 'stays' ? residue.why.message : undefined) },
];

/** The last line of `recover`. */
export function recoverLine({ runs, residue, cloudLost }: RecoverReport): string {
  const sum = (of: (run: RecoveredRun) => number): number => runs.reduce((total, run) => total + of(run), 0);
  const left = sum((run) => run.left.length);
  const removed = sum((run) => run.removed.length) + residue.filter((one) => one.outcome === 'removed').length;
  const result = cloudLost !== undefined ? 'failed' : left > 0 ? 'residue' : 'ok';
  const stays = residue.filter((one) => one.outcome === 'stays').length;
  return `recover result=${result} runs=${runs.length} removed=${removed} left=${left} stays=${stays}`;
}
