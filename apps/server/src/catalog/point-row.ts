import type { PointMarks, RestorePoint } from '@onevault/backup-format';
import { standingHolds } from '@onevault/backup-format';
import { diskFacts, pointVm } from '@onevault/composition';
import type { Insertable, Selectable } from 'kysely';
import type { CatalogPoint } from '../ports/catalog.ts';
import type { PointTable } from './catalog-tables.ts';

/** The policy that a restore point was taken for, as its manifest says. Retention of a policy decides on these points and on no others. */
export function policyOfPoint(point: RestorePoint): string | undefined {
  const policy = point.annotations['policy'];
  return typeof policy === 'string' ? policy : undefined;
}

/** From the weakest on. */
const CONSISTENCIES = ['crash-consistent', 'filesystem-consistent-if-agent', 'filesystem-consistent', 'offline'];

/** A point is as consistent as its weakest disk. */
function consistencyOf(point: RestorePoint): string {
  const found = point.disks.map((disk) => diskFacts(disk).consistency ?? 'unknown');
  return found.find((one) => !CONSISTENCIES.includes(one)) ?? CONSISTENCIES.find((one) => found.includes(one)) ?? 'unknown';
}

export interface PointNotes {
  readonly tags: readonly string[];
  readonly holds: readonly { readonly name: string; readonly until?: string }[];
  readonly damaged: boolean;
}

/** Holds that are over at `at` are left out; a mark that cannot be read holds. */
export function notesOf(marks: PointMarks | undefined, damaged: boolean, at: Date): PointNotes {
  const holds = marks === undefined ? [] : standingHolds(marks, at).map(({ reason, until }) => ({ name: reason, ...(until !== undefined && { until }) }));
  return { tags: marks?.tags ?? [], holds, damaged };
}

export function rowOfPoint(repository: string, point: RestorePoint, notes: PointNotes): Insertable<PointTable> {
  const vm = pointVm(point);
  const disks = point.disks.map((disk) => {
    const { diskId = -1, target = '' } = diskFacts(disk);
    return { key: disk.key, diskId, target, sizeBytes: disk.sizeBytes };
  });
  return {
    repository,
    id: point.id,
    grp: point.group,
    vm_id: vm.id ?? -1,
    vm_name: vm.name ?? point.group,
    captured_at: new Date(point.capturedAt),
    committed_at: new Date(point.committedAt),
    mode: point.mode,
    consistency: consistencyOf(point),
    size_bytes: point.stats.sizeBytes,
    stored_bytes: point.stats.storedBytes,
    disks: JSON.stringify(disks),
    tags: JSON.stringify(notes.tags),
    holds: JSON.stringify(notes.holds),
    damaged: notes.damaged,
    policy: policyOfPoint(point) ?? null,
  };
}

export function pointOfRow(row: Selectable<PointTable>, now: Date): CatalogPoint {
  const holds = row.holds.filter(({ until }) => until === undefined || Date.parse(until) >= now.getTime());
  const [hold] = holds;
  return {
    repository: row.repository,
    id: row.id,
    group: row.grp,
    vmId: row.vm_id,
    vmName: row.vm_name,
    capturedAt: row.captured_at,
    committedAt: row.committed_at,
    mode: row.mode,
    consistency: row.consistency,
    sizeBytes: row.size_bytes,
    storedBytes: row.stored_bytes,
    disks: row.disks,
    tags: row.tags,
    held: hold && { reason: hold.name, ...(hold.until !== undefined && { until: new Date(hold.until) }) },
    holds,
    damaged: row.damaged,
    policy: row.policy ?? undefined,
  };
}
