import type { Vm } from '@onevault/one-client';
import { type DiskSnapshot, planDelete, readSnapshots, type SnapshotSet } from '@onevault/orchestrator';
import type { CommandContext } from '../../command-context.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { type Column, renderTable } from '../../render/table.ts';
import { formatBytes, formatTime } from '../../render/units.ts';
import { wantedVms } from '../plan.ts';
import { type TableFlags, tableOptions } from '../table-flags.ts';
import { readVm } from './revert.ts';

export interface ListFlags extends TableFlags {
  readonly all?: boolean;
}

const MIB = 1024 * 1024;

interface Row extends DiskSnapshot {
  readonly vm: Vm;
  readonly set: SnapshotSet | undefined;
}

const COLUMNS: readonly Column<Row>[] = [
  { name: 'VM', align: 'right', value: ({ vm }) => vm.id },
  { name: 'SET', value: ({ set }) => set?.setId },
  { name: 'NAME', value: ({ set, snapshot }) => set?.name ?? snapshot.name },
  { name: 'WHOSE', value: ({ origin }) => WHOSE[origin] },
  {
    name: 'DISKS',
    value: ({ set }) => set && (set.missing.length === 0 ? set.members.length : `${set.members.length} of ${set.members.length + set.missing.length}`),
  },
  { name: 'DISK', align: 'right', value: ({ disk }) => disk.diskId },
  { name: 'ID', align: 'right', value: ({ snapshot }) => snapshot.id },
  { name: 'TAKEN', value: ({ snapshot }) => formatTime(snapshot.date * 1000) },
  { name: 'SIZE', align: 'right', extra: true, value: ({ snapshot }) => formatBytes(snapshot.sizeMiB * MIB) },
  { name: 'PARENT', align: 'right', extra: true, value: ({ snapshot }) => (snapshot.parent < 0 ? undefined : snapshot.parent) },
  { name: 'ACTIVE', value: ({ snapshot }) => (snapshot.active ? 'yes' : 'no') },
  { name: 'DELETABLE', value: (row) => whyNot(row)?.code ?? 'yes' },
];

const WHOSE = { set: 'ours', backup: 'a backup', foreign: 'foreign' } as const;

export async function runSnapshotList(context: CommandContext, argv: readonly string[], flags: ListFlags): Promise<ExitCode> {
  const { compose, output, signal } = context;
  await using cloud = await compose.openCloud({ signal });
  const ids = await wantedVms(cloud, argv, flags, { signal });
  const rows: Row[] = [];
  const documents: object[] = [];
  for (const id of ids) {
    const vm = await readVm(cloud, id, signal);
    const { sets, others } = readSnapshots(vm);
    rows.push(...sets.flatMap((set) => set.members.map((member) => ({ ...member, vm, set }))), ...others.map((other) => ({ ...other, vm, set: undefined })));
    documents.push({ vmId: vm.id, vmName: vm.name, sets: sets.map((set) => setDocument(vm, set)), others: others.map((other) => snapshotDocument(vm, other)) });
  }
  for (const line of renderTable(COLUMNS, rows, tableOptions(flags))) output.line(line);
  output.document('snapshot.list', { vms: documents });
  return EXIT.ok;
}

function whyNot({ vm, disk, snapshot, origin }: Row) {
  return planDelete(vm, [{ disk, snapshot, origin }]).refusals[0];
}

function setDocument(vm: Vm, { setId, name, label, createdAt, members, missing }: SnapshotSet): object {
  return {
    setId,
    name,
    label: label ?? null,
    createdAt: createdAt.toISOString(),
    missingDisks: missing,
    snapshots: members.map((member) => snapshotDocument(vm, member)),
  };
}

function snapshotDocument(vm: Vm, { disk, snapshot, origin }: DiskSnapshot): object {
  const { refusals } = planDelete(vm, [{ disk, snapshot, origin }]);
  return {
    origin,
    diskId: disk.diskId,
    snapshotId: snapshot.id,
    name: snapshot.name ?? null,
    active: snapshot.active,
    parent: snapshot.parent < 0 ? null : snapshot.parent,
    children: snapshot.children,
    createdAt: new Date(snapshot.date * 1000).toISOString(),
    sizeBytes: snapshot.sizeMiB * MIB,
    deletable: refusals.length === 0,
    refusals: refusals.map(({ code, text, remedy }) => ({ code, text, remedy })),
  };
}
