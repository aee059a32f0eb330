import type { Vm } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import { snapshotRefused } from './refusal.ts';
import { displayName } from './set-name.ts';
import type { DiskSnapshot, SnapshotSet, VmSnapshots } from './snapshot-set.ts';

export interface SnapshotChoice {
  /** `latest`, a set's id or the beginning of one, its label, a snapshot's exact name, or `DISK:SNAPSHOT` by ids. */
  readonly reference: string;
  /** Only of these disks; default: of all the set has. */
  readonly disks?: readonly number[];
  /** Other people's snapshots too, when named exactly. */
  readonly foreign: boolean;
}

export interface SelectedSnapshots {
  /** As people call it: the set's name, or the snapshot's. */
  readonly name: string;
  readonly set: SnapshotSet | undefined;
  readonly members: readonly DiskSnapshot[];
  /** Disks that were asked for, or that the set had, without a snapshot of it. */
  readonly missing: readonly number[];
}

/** Throws JOB_SNAPSHOT_UNKNOWN, JOB_SNAPSHOT_AMBIGUOUS, and JOB_SNAPSHOT_REFUSED for a backup's and, without `foreign`, for other people's. */
export function selectSnapshots(all: VmSnapshots, choice: SnapshotChoice): SelectedSnapshots {
  const { vm } = all;
  const byPlace = /^(\d+):(\d+)$/.exec(choice.reference);
  if (byPlace !== null) return onePlace(all, choice, Number(byPlace[1]), Number(byPlace[2]));
  const sets = matchingSets(all.sets, choice.reference);
  const others = all.others.filter(({ snapshot }) => snapshot.name === choice.reference);
  if (sets.length > 1 || (sets.length === 1 && others.length > 0 && choice.foreign)) throw ambiguous(vm, choice.reference, sets, others);
  const [set] = sets;
  if (set !== undefined) return ofSet(set, choice.disks);
  if (others.length === 0) throw unknown(vm, choice.reference);
  refuseOthers(vm, others, choice);
  const chosen = others.filter(({ disk }) => choice.disks === undefined || choice.disks.includes(disk.diskId));
  const disks = chosen.map(({ disk }) => disk.diskId);
  if (new Set(disks).size < disks.length) throw ambiguous(vm, choice.reference, [], chosen);
  return { name: choice.reference, set: undefined, members: chosen, missing: (choice.disks ?? []).filter((disk) => !disks.some((one) => one === disk)) };
}

/** By id in full, by label, or by the beginning of an id: the first of these that finds any. */
function matchingSets(sets: readonly SnapshotSet[], reference: string): readonly SnapshotSet[] {
  if (reference === 'latest') return sets.slice(0, 1);
  const id = reference.replace(/^onevault-(?:set-)?/, '');
  const ways: ((set: SnapshotSet) => boolean)[] = [
    (set) => set.setId === id || set.members.some(({ snapshot }) => snapshot.name === reference),
    (set) => set.label === reference || set.name === reference,
    (set) => id.length >= SHORTEST_PREFIX && set.setId.startsWith(id),
  ];
  return ways.map((way) => sets.filter(way)).find((found) => found.length > 0) ?? [];
}

/** A year alone names nothing. */
const SHORTEST_PREFIX = 8;

function ofSet(set: SnapshotSet, disks: readonly number[] | undefined): SelectedSnapshots {
  if (disks === undefined) return { name: set.name, set, members: set.members, missing: set.missing };
  const members = set.members.filter(({ disk }) => disks.includes(disk.diskId));
  return { name: set.name, set, members, missing: disks.filter((wanted) => !members.some(({ disk }) => disk.diskId === wanted)) };
}

function onePlace(all: VmSnapshots, choice: SnapshotChoice, diskId: number, snapshotId: number): SelectedSnapshots {
  const isThere = ({ disk, snapshot }: DiskSnapshot): boolean => disk.diskId === diskId && snapshot.id === snapshotId;
  const set = all.sets.find(({ members }) => members.some(isThere));
  const found = set?.members.find(isThere) ?? all.others.find(isThere);
  if (found === undefined || choice.disks?.includes(diskId) === false) throw unknown(all.vm, choice.reference);
  if (set === undefined) refuseOthers(all.vm, [found], choice);
  return { name: found.snapshot.name ?? choice.reference, set, members: [found], missing: [] };
}

function refuseOthers(vm: Vm, others: readonly DiskSnapshot[], { foreign, reference }: SnapshotChoice): void {
  const backup = others.find(({ origin }) => origin === 'backup');
  const what = `work on snapshot '${reference}'`;
  if (backup !== undefined) {
    const text = `snapshot ${backup.snapshot.id} of disk ${backup.disk.diskId} belongs to a backup`;
    throw snapshotRefused(vm, what, [{ code: 'SNAPSHOT_OF_BACKUP', text, remedy: 'the backup takes it away; when it died, onevault recover does' }]);
  }
  if (foreign) return;
  const text = `${others.length === 1 ? 'it is' : 'they are'} not ours: taken by hand or by another program`;
  throw snapshotRefused(vm, what, [{ code: 'SNAPSHOT_FOREIGN', text, remedy: 'say --foreign when that is what you mean' }]);
}

function unknown(vm: Vm, reference: string): JobError {
  return new JobError({
    code: 'JOB_SNAPSHOT_UNKNOWN',
    message: `VM ${vm.id} '${vm.name}' has no snapshot '${reference}'`,
    details: { vmId: vm.id, reference },
    hint: `onevault snapshot list ${vm.id} shows what there is`,
  });
}

function ambiguous(vm: Vm, reference: string, sets: readonly SnapshotSet[], others: readonly DiskSnapshot[]): JobError {
  const places = others.map(({ disk, snapshot }) => `${disk.diskId}:${snapshot.id}`);
  const named = [...sets.map((set) => `${set.setId} (${displayName(set)})`), ...places];
  return new JobError({
    code: 'JOB_SNAPSHOT_AMBIGUOUS',
    message: `'${reference}' means ${named.length} snapshots of VM ${vm.id} '${vm.name}': ${named.join(', ')}`,
    details: { vmId: vm.id, reference, sets: sets.map(({ setId }) => setId), places },
    hint: 'name the set by its id, or one snapshot as DISK:SNAPSHOT',
  });
}
