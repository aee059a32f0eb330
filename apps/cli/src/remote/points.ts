import type { TableFlags } from '../commands/table-flags.ts';
import { tableOptions } from '../commands/table-flags.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { type Column, printable, renderTable } from '../render/table.ts';
import { formatBytes, formatTime } from '../render/units.ts';
import type { RemoteContext } from './remote-context.ts';
import { type RemotePoint, remotePoints } from './remote-points.ts';
import { selectRemotePast } from './remote-vms.ts';

const COLUMNS: readonly Column<RemotePoint>[] = [
  { name: 'POINT', value: ({ id }) => id },
  { name: 'VM', align: 'right', value: ({ vmId }) => vmId },
  { name: 'NAME', value: ({ vmName }) => vmName },
  { name: 'CAPTURED', value: ({ capturedAt }) => formatTime(capturedAt) },
  { name: 'MODE', value: ({ mode }) => mode },
  { name: 'DISKS', align: 'right', value: ({ disks }) => disks.length },
  { name: 'SIZE', align: 'right', value: ({ sizeBytes }) => formatBytes(sizeBytes) },
  { name: 'STORED', align: 'right', value: ({ storedBytes }) => formatBytes(storedBytes) },
  { name: 'HEALTH', value: ({ damaged }) => (damaged ? 'damaged' : undefined) },
  { name: 'HELD', value: ({ held }) => held && (held.until === undefined ? held.reason : `${held.reason} until ${held.until.slice(0, 10)}`) },
  { name: 'TAGS', value: ({ tags }) => tags.join(',') || undefined },
  { name: 'KEPT_BY', value: ({ keptBy }) => keptBy.join(',') || undefined },
  { name: 'REPOSITORY', value: ({ repository }) => repository },
];

/** `point list VM`, oldest first, with what keeps each. */
export async function remotePointList(context: RemoteContext, vm: string | undefined, flags: TableFlags & { readonly tag?: string }): Promise<ExitCode> {
  const { output } = context;
  if (vm === undefined) throw usageError('a server lists the restore points of one VM', 'name it by id or name; onevault vm list shows how many each has');
  const tags = flags.tag?.split(',') ?? [];
  const points: RemotePoint[] = [];
  for await (const point of remotePoints(context, await selectRemotePast(context, vm))) if (tags.every((tag) => point.tags.includes(tag))) points.push(point);
  points.reverse();
  for (const line of renderTable(COLUMNS, points, tableOptions(flags))) output.line(line);
  if (points.length === 0) output.note(`no restore point of a VM ${printable(vm)}`);
  output.document('point.list', { points: points.map(pointDocument), damaged: [] });
  return EXIT.ok;
}

function pointDocument({ vmId, vmName, held, sizeBytes, storedBytes, damaged, ...point }: RemotePoint): object {
  return {
    ...point,
    vm: { id: vmId, name: vmName },
    stats: { sizeBytes, storedBytes },
    holds: held === undefined ? [] : [held],
    health: damaged ? 'damaged' : null,
  };
}
