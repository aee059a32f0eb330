import type { ListedPoint, RestorePoint, StoredDisk } from '@onevault/backup-format';
import { serializeError } from '@onevault/base';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { diskFacts, pointVm, skippedDisks } from '../render/point-facts.ts';
import { type Column, printable, renderTable } from '../render/table.ts';
import { formatBytes, formatTime } from '../render/units.ts';
import { pointsOfVm, selectPoint } from '../select/select-point.ts';
import { addTableFlags, type TableFlags, tableOptions } from './table-flags.ts';

export function pointCommand(run: RunCommand): Command {
  const command = new Command('point').description('restore points in the repository; needs no OpenNebula');
  addTableFlags(command.command('list').argument('[vm]', 'id, name or group').description('oldest first')).action(
    (vm: string | undefined, flags: TableFlags, sub: Command) => run(sub, (context) => runPointList(context, vm, flags)),
  );
  command
    .command('show')
    .argument('<point>', 'id, unique prefix of one, latest or latest~1')
    .option('--vm <vm>', 'whose latest')
    .description('one restore point with its disks, and what is not in it')
    .action((point: string, flags: { readonly vm?: string }, sub: Command) => run(sub, (context) => show(context, point, flags.vm)));
  return command;
}

const POINT_COLUMNS: readonly Column<ListedPoint>[] = [
  { name: 'POINT', value: (listed) => (listed.kind === 'point' ? listed.point.id : listed.key) },
  { name: 'VM', align: 'right', value: (listed) => ofPoint(listed, (point) => pointVm(point).id) },
  { name: 'NAME', value: (listed) => (listed.kind === 'point' ? pointVm(listed.point).name : 'DAMAGED') },
  { name: 'CAPTURED', value: (listed) => ofPoint(listed, (point) => formatTime(point.capturedAt)) },
  { name: 'MODE', value: (listed) => ofPoint(listed, (point) => point.mode) },
  { name: 'DISKS', align: 'right', value: (listed) => ofPoint(listed, (point) => point.disks.length) },
  { name: 'SIZE', align: 'right', value: (listed) => ofPoint(listed, (point) => formatBytes(point.stats.sizeBytes)) },
  { name: 'STORED', align: 'right', value: (listed) => ofPoint(listed, (point) => formatBytes(point.stats.storedBytes)) },
  { name: 'GROUP', extra: true, value: (listed) => ofPoint(listed, (point) => point.group) },
  { name: 'RUN', extra: true, value: (listed) => ofPoint(listed, (point) => point.runId) },
];

function ofPoint<T>(listed: ListedPoint, value: (point: RestorePoint) => T): T | undefined {
  return listed.kind === 'point' ? value(listed.point) : undefined;
}

export async function runPointList({ compose, output, signal }: CommandContext, vm: string | undefined, flags: TableFlags): Promise<ExitCode> {
  await using repository = await compose.openRepository({ signal });
  const points = await pointsOfVm(repository, vm, { signal });
  for (const line of renderTable(POINT_COLUMNS, points, tableOptions(flags))) output.line(line);
  if (vm !== undefined && points.length === 0) output.note(`no restore point of a VM ${printable(vm)} in ${repository.location}`);
  const damaged = points.flatMap((listed) => (listed.kind === 'damaged' ? [listed] : []));
  for (const { key, error } of damaged) output.warn(`${key} cannot be read: ${error.message}`);
  output.document('point.list', {
    points: points.flatMap((listed) => (listed.kind === 'point' ? [pointDocument(listed.point)] : [])),
    damaged: damaged.map(({ key, error }) => ({ key, error: serializeError(error) })),
  });
  return damaged.length > 0 ? EXIT.damage : EXIT.ok;
}

async function show({ compose, output, signal }: CommandContext, text: string, vm: string | undefined): Promise<ExitCode> {
  await using repository = await compose.openRepository({ signal });
  const point = await selectPoint(repository, text, vm, { signal });
  const { id, name } = pointVm(point);
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['POINT', point.id],
    ['VM', `${id ?? '-'} ${name ?? ''}`.trim()],
    ['GROUP', point.group],
    ['RUN', point.runId],
    ['CAPTURED', formatTime(point.capturedAt)],
    ['COMMITTED', formatTime(point.committedAt)],
    ['MODE', point.mode],
    ['COMPARED', point.parentId === undefined ? undefined : `with ${point.parentId} (restores without it)`],
    ['SIZE', formatBytes(point.stats.sizeBytes)],
    ['STORED', `${formatBytes(point.stats.storedBytes)} in ${point.stats.newChunks} new chunks of ${formatBytes(point.stats.newBytes)}`],
  ];
  for (const [label, value] of facts) if (value !== undefined) output.line(`${label.padEnd(9)}: ${printable(value)}`);
  output.line();
  for (const line of renderTable(DISK_COLUMNS, point.disks)) output.line(line);
  for (const disk of skippedDisks(point)) output.line(`not in it: disk ${disk.diskId ?? '?'} ${disk.target ?? ''}: ${disk.reasons.join(', ')}`);
  output.document('point.show', { point: { ...pointDocument(point), annotations: point.annotations, metadata: point.metadata } });
  return EXIT.ok;
}

const DISK_COLUMNS: readonly Column<StoredDisk>[] = [
  { name: 'DISK', align: 'right', value: (disk) => diskFacts(disk).diskId ?? disk.key },
  { name: 'TARGET', value: (disk) => diskFacts(disk).target },
  { name: 'SIZE', align: 'right', value: (disk) => formatBytes(disk.sizeBytes) },
  { name: 'MODE', value: (disk) => diskFacts(disk).mode },
  { name: 'REASON', value: (disk) => diskFacts(disk).modeReason },
  { name: 'METHOD', value: (disk) => diskFacts(disk).method },
  { name: 'CONSISTENCY', value: (disk) => diskFacts(disk).consistency },
  { name: 'CHANGED', align: 'right', value: (disk) => disk.stats.changedBlocks },
  { name: 'STORED', align: 'right', value: (disk) => formatBytes(disk.stats.storedBytes) },
];

/** A restore point as data; `vm` and the facts of the disks lifted out of the annotations. */
function pointDocument(point: RestorePoint): object {
  const { id, group, runId, capturedAt, committedAt, mode, parentId, stats } = point;
  const vm = pointVm(point);
  return {
    id,
    vm: { id: vm.id ?? null, name: vm.name ?? null },
    group,
    runId,
    capturedAt,
    committedAt,
    mode,
    parentId: parentId ?? null,
    stats,
    disks: point.disks.map((disk) => ({ key: disk.key, sizeBytes: disk.sizeBytes, root: disk.root, ...diskFacts(disk), stats: disk.stats })),
    skippedDisks: skippedDisks(point),
  };
}
