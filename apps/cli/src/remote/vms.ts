import type { Answer } from '@onevault/api';
import type { TableFlags } from '../commands/table-flags.ts';
import { tableOptions } from '../commands/table-flags.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { type Column, printable, renderTable } from '../render/table.ts';
import { formatBytes, formatTime } from '../render/units.ts';
import type { RemoteContext } from './remote-context.ts';
import { type RemoteVm, remoteVms, selectRemoteVm } from './remote-vms.ts';

const COLUMNS: readonly Column<RemoteVm>[] = [
  { name: 'ID', align: 'right', value: ({ id }) => id },
  { name: 'USER', value: ({ owner }) => owner },
  { name: 'GROUP', value: ({ group }) => group },
  { name: 'NAME', value: ({ name }) => name },
  { name: 'STAT', value: ({ state }) => state },
  { name: 'DISKS', align: 'right', value: ({ diskCount }) => diskCount },
  { name: 'SIZE', align: 'right', value: ({ sizeBytes }) => (sizeBytes === undefined ? undefined : formatBytes(sizeBytes)) },
  { name: 'HOST', value: ({ host }) => host },
  { name: 'PROTECTION', value: ({ protection }) => protection.state },
  { name: 'POINTS', align: 'right', extra: true, value: ({ points }) => points },
  { name: 'LABELS', extra: true, value: ({ labels }) => labels.join(',') || undefined },
];

/** `vm list`, with what the server knows beside: how each is protected. */
export async function remoteVmList(context: RemoteContext, flags: TableFlags): Promise<ExitCode> {
  const { output } = context;
  const vms: RemoteVm[] = [];
  for await (const vm of remoteVms(context)) if (vm.exists) vms.push(vm);
  for (const line of renderTable(COLUMNS, vms, tableOptions(flags))) output.line(line);
  output.document('vm.list', { vms: vms.map(summaryDocument) });
  return EXIT.ok;
}

function summaryDocument(vm: RemoteVm): object {
  return {
    id: vm.id,
    name: vm.name,
    user: vm.owner,
    group: vm.group,
    state: vm.state,
    host: vm.host ?? null,
    disks: vm.diskCount ?? null,
    sizeBytes: vm.sizeBytes ?? null,
    labels: vm.labels,
    protection: vm.protection,
    points: vm.points,
  };
}

type Detail = Answer<'getVm'>;
type Disk = Detail['disks'][number];

const DISK_COLUMNS: readonly Column<Disk>[] = [
  { name: 'DISK', align: 'right', value: ({ diskId }) => diskId },
  { name: 'TARGET', value: ({ target }) => target },
  { name: 'SIZE', align: 'right', value: ({ sizeBytes }) => formatBytes(sizeBytes) },
  { name: 'IMAGE', value: ({ imageId, image }) => (imageId === undefined ? 'volatile' : `${imageId} ${image ?? ''}`.trim()) },
  { name: 'DATASTORE', value: ({ datastore }) => datastore },
  { name: 'DRIVER', value: ({ driver }) => driver },
  { name: 'FORMAT', value: ({ format }) => format },
  { name: 'PERSISTENT', value: ({ imageId, persistent }) => (imageId === undefined ? undefined : persistent ? 'yes' : 'no') },
  { name: 'SNAPSHOTS', align: 'right', value: ({ snapshots }) => snapshots.length },
  { name: 'CAPTURE', value: ({ capture }) => capture.method ?? capture.verdict },
];

export async function remoteVmShow(context: RemoteContext, argument: string): Promise<ExitCode> {
  const { client, output, signal } = context;
  const vmId = await selectRemoteVm(context, argument);
  const vm = await client.call('getVm', { params: { vmId } }, { signal });
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['ID', String(vm.id)],
    ['NAME', vm.name],
    ['USER', vm.owner],
    ['GROUP', vm.group],
    ['STATE', vm.state],
    ['HOST', vm.host],
    ['HYPERVISOR', vm.hypervisor],
    ['UUID', vm.uuid],
    ['STARTED', vm.startedAt && formatTime(vm.startedAt)],
    ['LOCK', vm.lockLevel === undefined ? undefined : `level ${vm.lockLevel}`],
    ['ERROR', vm.error],
    ['PROTECTION', vm.protection.state],
    ['POINTS', String(vm.points)],
  ];
  for (const [name, value] of facts) if (value !== undefined) output.line(`${name.padEnd(11)}: ${printable(value)}`);
  output.line();
  for (const line of renderTable(DISK_COLUMNS, vm.disks)) output.line(line);
  for (const { code, text } of vm.reasons) output.line(`note: ${printable(text)} (${code})`);
  output.document('vm.show', { vm: detailDocument(vm) });
  return EXIT.ok;
}

function detailDocument(vm: Detail): object {
  return {
    ...summaryDocument(vm),
    hypervisor: vm.hypervisor ?? null,
    uuid: vm.uuid ?? null,
    lockLevel: vm.lockLevel ?? null,
    verdict: vm.verdict,
    reasons: vm.reasons,
    disks: vm.disks.map(({ image, datastore, driver, format, imageId, snapshots, ...disk }) => ({
      ...disk,
      imageId: imageId ?? null,
      imageName: image ?? null,
      datastore: datastore ?? null,
      driver: driver ?? null,
      format: format ?? null,
      snapshots: snapshots.map(({ createdAt, name, ...snapshot }) => ({ ...snapshot, name: name ?? null, date: createdAt })),
    })),
  };
}
