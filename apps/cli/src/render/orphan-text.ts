import type { Orphan, RemovedOrphan, Spared } from '@onevault/orchestrator';
import type { Column } from './table.ts';
import { formatBytes } from './units.ts';

const MIB = 1024 * 1024;
const DAY_S = 86_400;

/** `nowMs`: of this machine; ages are for people and decide nothing. */
export function orphanColumns(nowMs: number): readonly Column<Orphan>[] {
  return [
    { name: 'KIND', value: ({ object }) => object.kind },
    { name: 'ID', align: 'right', value: ({ id }) => id },
    { name: 'NAME', value: ({ object }) => ('name' in object ? object.name : object.serial) },
    { name: 'WHERE', value: ({ where }) => where || undefined },
    { name: 'AGE', align: 'right', value: ({ bornAt }) => (bornAt === undefined ? undefined : formatAge(nowMs / 1000 - bornAt)) },
    { name: 'SIZE', align: 'right', value: ({ sizeMiB }) => (sizeMiB === undefined ? undefined : formatBytes(sizeMiB * MIB)) },
    { name: 'RUN', value: ({ runId }) => runId },
    { name: 'OURS BY', value: ({ proof }) => proof.join(', ') },
  ];
}

export function sparedColumns(nowMs: number): readonly Column<Spared>[] {
  return [...orphanColumns(nowMs).filter(({ name }) => name !== 'OURS BY'), { name: 'LEFT ALONE', value: ({ why }) => why.message }];
}

export const REMOVED_COLUMNS: readonly Column<RemovedOrphan>[] = [
  { name: 'OUTCOME', value: ({ outcome }) => outcome },
  { name: 'WHAT', value: ({ label }) => label },
  { name: 'WHY', value: ({ error }) => error?.message },
];

/** `45s`, `12m`, `3h`, `8d`. */
function formatAge(seconds: number): string {
  const age = Math.max(0, Math.floor(seconds));
  if (age < 60) return `${age}s`;
  if (age < 3600) return `${Math.floor(age / 60)}m`;
  return age < 2 * DAY_S ? `${Math.floor(age / 3600)}h` : `${Math.floor(age / DAY_S)}d`;
}
