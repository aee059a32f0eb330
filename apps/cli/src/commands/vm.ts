import { type Vm, type VmSummary, vmStateName, vmStateShortName } from '@onevault/one-client';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { remoteVmList, remoteVmShow } from '../remote/vms.ts';
import { type Column, printable, renderTable } from '../render/table.ts';
import { formatBytes, formatTime } from '../render/units.ts';
import { allVms, asVmError, selectVm } from '../select/select-vms.ts';
import { addTableFlags, type TableFlags, tableOptions } from './table-flags.ts';

const MIB = 1024 * 1024;

export function vmCommand(run: RunCommand): Command {
  const command = new Command('vm').description('VMs of the cloud, as far as backing them up is concerned');
  addTableFlags(command.command('list').description('VMs this user may see')).action((flags: TableFlags, sub: Command) =>
    run(
      sub,
      (context) => runVmList(context, flags),
      (context) => remoteVmList(context, flags),
    ),
  );
  command
    .command('show')
    .argument('<vm>', 'id or name')
    .description('one VM with its disks and their snapshots')
    .action((vm: string, _flags: object, sub: Command) =>
      run(
        sub,
        (context) => show(context, vm),
        (context) => remoteVmShow(context, vm),
      ),
    );
  return command;
}

const VM_COLUMNS: readonly Column<VmSummary>[] = [
  { name: 'ID', align: 'right', value: (vm) => vm.id },
  { name: 'USER', value: (vm) => vm.userName },
  { name: 'GROUP', value: (vm) => vm.groupName },
  { name: 'NAME', value: (vm) => vm.name },
  { name: 'STAT', value: vmStateShortName },
  { name: 'DISKS', align: 'right', value: (vm) => vm.diskCount },
  { name: 'SIZE', align: 'right', value: (vm) => formatBytes(vm.diskSizeMiB * MIB) },
  { name: 'HOST', value: (vm) => vm.hostName },
  { name: 'START', extra: true, value: (vm) => formatTime(vm.startTime * 1000) },
];

export async function runVmList({ compose, output, signal }: CommandContext, flags: TableFlags): Promise<ExitCode> {
  await using cloud = await compose.openCloud({ signal });
  const vms = await allVms(cloud, { signal });
  for (const line of renderTable(VM_COLUMNS, vms, tableOptions(flags))) output.line(line);
  output.document('vm.list', { vms: vms.map(summaryDocument) });
  return EXIT.ok;
}

function summaryDocument(vm: VmSummary): object {
  return {
    id: vm.id,
    name: vm.name,
    user: vm.userName,
    group: vm.groupName,
    state: vmStateName(vm),
    host: vm.hostName ?? null,
    disks: vm.diskCount,
    sizeBytes: vm.diskSizeMiB * MIB,
    started: new Date(vm.startTime * 1000).toISOString(),
  };
}

type DiskRow = Vm['disks'][number];

async function show({ compose, output, signal }: CommandContext, argument: string): Promise<ExitCode> {
  await using cloud = await compose.openCloud({ signal });
  const id = await selectVm(cloud, argument, { signal });
  const vm = await cloud.vm(id, { signal }).catch((error: unknown) => {
    throw asVmError(error, id);
  });
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['ID', String(vm.id)],
    ['NAME', vm.name],
    ['USER', vm.userName],
    ['GROUP', vm.groupName],
    ['STATE', vmStateName(vm)],
    ['HOST', vm.hostName],
    ['HYPERVISOR', vm.history.at(-1)?.vmMad],
    ['UUID', vm.uuid],
    ['STARTED', formatTime(vm.startTime * 1000)],
    ['LOCK', vm.lockLevel === undefined ? undefined : `level ${vm.lockLevel}`],
    ['ERROR', vm.error],
  ];
  for (const [name, value] of facts) if (value !== undefined) output.line(`${name.padEnd(11)}: ${printable(value)}`);
  output.line();
  for (const line of renderTable(diskColumns(vm), vm.disks)) output.line(line);
  output.document('vm.show', { vm: vmDocument(vm) });
  return EXIT.ok;
}

function diskColumns(vm: Vm): Column<DiskRow>[] {
  return [
    { name: 'DISK', align: 'right', value: (disk) => disk.diskId },
    { name: 'TARGET', value: (disk) => disk.target },
    { name: 'SIZE', align: 'right', value: (disk) => formatBytes(disk.sizeMiB * MIB) },
    { name: 'IMAGE', value: (disk) => (disk.imageId === undefined ? 'volatile' : `${disk.imageId} ${disk.imageName ?? ''}`.trim()) },
    { name: 'DATASTORE', value: (disk) => disk.datastoreName },
    { name: 'DRIVER', value: (disk) => disk.tmMad },
    { name: 'FORMAT', value: (disk) => disk.format ?? disk.type },
    { name: 'PERSISTENT', value: (disk) => (disk.imageId === undefined ? undefined : disk.persistent ? 'yes' : 'no') },
    { name: 'SNAPSHOTS', align: 'right', value: (disk) => snapshotsOf(vm, disk).length },
  ];
}

function snapshotsOf(vm: Vm, disk: DiskRow): Vm['snapshots'][number]['snapshots'] {
  return vm.snapshots.find((entry) => entry.diskId === disk.diskId)?.snapshots ?? [];
}

function vmDocument(vm: Vm): object {
  return {
    ...summaryDocument(vm),
    hypervisor: vm.history.at(-1)?.vmMad ?? null,
    uuid: vm.uuid ?? null,
    lockLevel: vm.lockLevel ?? null,
    disks: vm.disks.map((disk) => ({
      diskId: disk.diskId,
      target: disk.target,
      sizeBytes: disk.sizeMiB * MIB,
      imageId: disk.imageId ?? null,
      imageName: disk.imageName ?? null,
      datastore: disk.datastoreName ?? null,
      driver: disk.tmMad ?? null,
      format: disk.format ?? null,
      persistent: disk.persistent,
      snapshots: snapshotsOf(vm, disk).map(({ id, name, active, date }) => ({ id, name: name ?? null, active, date: new Date(date * 1000).toISOString() })),
    })),
  };
}
