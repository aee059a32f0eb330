import type { ListedPoint, PointMarks, Repository, RestorePoint, StoredDisk } from '@onevault/backup-format';
import { serializeError } from '@onevault/base';
import { diskFacts, pointVm, skippedDisks } from '@onevault/composition';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { remotePointList } from '../remote/points.ts';
import { type PointHealth, pointHealth } from '../render/point-health.ts';
import { type Column, printable, renderTable } from '../render/table.ts';
import { formatBytes, formatTime } from '../render/units.ts';
import { pointsOfVm, selectPoint } from '../select/select-point.ts';
import { forgetCommand } from './point/forget.ts';
import { holdCommand, releaseCommand, tagCommand } from './point/marks.ts';
import { addTableFlags, type TableFlags, tableOptions } from './table-flags.ts';

export function pointCommand(run: RunCommand): Command {
  const command = new Command('point').description('restore points in the repository; needs no OpenNebula');
  const list = command.command('list').argument('[vm]', 'id, name or group').description('oldest first');
  addTableFlags(list.option('--tag <tags>', 'only those that have this tag, or all of these: a,b')).action(
    (vm: string | undefined, flags: ListFlags, sub: Command) =>
      run(
        sub,
        (context) => runPointList(context, vm, flags),
        (context) => remotePointList(context, vm, flags),
      ),
  );
  command
    .command('show')
    .argument('<point>', 'id, unique prefix of one, latest or latest~1')
    .option('--vm <vm>', 'whose latest')
    .description('one restore point with its disks, and what is not in it')
    .action((point: string, flags: { readonly vm?: string }, sub: Command) => run(sub, (context) => show(context, point, flags.vm)));
  for (const subcommand of [forgetCommand, holdCommand, releaseCommand, tagCommand]) command.addCommand(subcommand(run));
  return command;
}

interface ListFlags extends TableFlags {
  readonly tag?: string;
}

/** A listed point with what is noted of it. */
interface PointRow {
  readonly listed: ListedPoint;
  readonly marks: PointMarks | undefined;
  readonly health: PointHealth | undefined;
}

const POINT_COLUMNS: readonly Column<PointRow>[] = [
  { name: 'POINT', value: ({ listed }) => (listed.kind === 'point' ? listed.point.id : listed.key) },
  { name: 'VM', align: 'right', value: (row) => ofPoint(row, (point) => pointVm(point).id) },
  { name: 'NAME', value: ({ listed }) => (listed.kind === 'point' ? pointVm(listed.point).name : 'DAMAGED') },
  { name: 'CAPTURED', value: (row) => ofPoint(row, (point) => formatTime(point.capturedAt)) },
  { name: 'MODE', value: (row) => ofPoint(row, (point) => point.mode) },
  { name: 'DISKS', align: 'right', value: (row) => ofPoint(row, (point) => point.disks.length) },
  { name: 'SIZE', align: 'right', value: (row) => ofPoint(row, (point) => formatBytes(point.stats.sizeBytes)) },
  { name: 'STORED', align: 'right', value: (row) => ofPoint(row, (point) => formatBytes(point.stats.storedBytes)) },
  { name: 'HEALTH', value: ({ health }) => health },
  { name: 'HELD', value: ({ marks }) => marks && holdsText(marks) },
  { name: 'TAGS', value: ({ marks }) => marks?.tags.join(',') || undefined },
  { name: 'GROUP', extra: true, value: (row) => ofPoint(row, (point) => point.group) },
  { name: 'RUN', extra: true, value: (row) => ofPoint(row, (point) => point.runId) },
];

function rowOf(listed: ListedPoint, marks: ReadonlyMap<string, PointMarks>, health: (pointId: string) => PointHealth | undefined): PointRow {
  if (listed.kind === 'damaged') return { listed, marks: undefined, health: 'damaged' };
  return { listed, marks: marks.get(listed.point.id), health: health(listed.point.id) };
}

function ofPoint<T>({ listed }: PointRow, value: (point: RestorePoint) => T): T | undefined {
  return listed.kind === 'point' ? value(listed.point) : undefined;
}

/** `2 holds` says less than why. */
function holdsText({ holds, damaged }: PointMarks): string | undefined {
  const texts = holds.map(({ reason, until }) => (until === undefined ? reason : `${reason} until ${until.slice(0, 10)}`));
  return [...texts, ...damaged.map(({ id }) => `unreadable mark ${id.slice(0, 8)}`)].join('; ') || undefined;
}

async function marksOf(repository: Repository, signal: AbortSignal, filter: { readonly pointId?: string } = {}): Promise<Map<string, PointMarks>> {
  const marks = new Map<string, PointMarks>();
  for await (const one of repository.marks.list(filter, { signal })) marks.set(one.pointId, one);
  return marks;
}

export async function runPointList({ compose, output, signal }: CommandContext, vm: string | undefined, flags: ListFlags): Promise<ExitCode> {
  await using repository = await compose.openRepository({ signal });
  const marks = await marksOf(repository, signal);
  const health = pointHealth(await repository.verifyRecords({ signal }));
  const tags = flags.tag?.split(',') ?? [];
  const listed = await pointsOfVm(repository, vm, { signal });
  const rows = listed
    .map((one): PointRow => rowOf(one, marks, health))
    .filter((row) => row.listed.kind === 'damaged' || tags.every((tag) => row.marks?.tags.includes(tag)));
  for (const line of renderTable(POINT_COLUMNS, rows, tableOptions(flags))) output.line(line);
  if (vm !== undefined && rows.length === 0) output.note(`no restore point of a VM ${printable(vm)} in ${repository.location}`);
  const damaged = listed.flatMap((one) => (one.kind === 'damaged' ? [one] : []));
  for (const { key, error } of damaged) output.warn(`${key} cannot be read: ${error.message}`);
  output.document('point.list', {
    points: rows.flatMap((row) =>
      row.listed.kind === 'point' ? [{ ...pointDocument(row.listed.point), ...marksDocument(row.marks), health: row.health ?? null }] : [],
    ),
    damaged: damaged.map(({ key, error }) => ({ key, error: serializeError(error) })),
  });
  return damaged.length > 0 ? EXIT.damage : EXIT.ok;
}

function marksDocument(marks: PointMarks | undefined): object {
  return { holds: marks?.holds ?? [], tags: marks?.tags ?? [], damagedMarks: (marks?.damaged ?? []).map(({ id, key }) => ({ id, key })) };
}

async function show({ compose, output, signal }: CommandContext, text: string, vm: string | undefined): Promise<ExitCode> {
  await using repository = await compose.openRepository({ signal });
  const point = await selectPoint(repository, text, vm, { signal });
  const marks = (await marksOf(repository, signal, { pointId: point.id })).get(point.id);
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
    ...(marks?.holds ?? []).map((hold) => ['HELD', `${hold.reason}, by ${hold.by}, ${holdSpan(hold)} (hold ${hold.id.slice(0, 8)})`] as const),
    ...(marks?.damaged ?? []).map((mark) => ['HELD', `by a mark that cannot be read: ${mark.key}`] as const),
    ['TAGS', marks?.tags.join(', ') || undefined],
  ];
  for (const [label, value] of facts) if (value !== undefined) output.line(`${label.padEnd(9)}: ${printable(value)}`);
  output.line();
  for (const line of renderTable(DISK_COLUMNS, point.disks)) output.line(line);
  for (const disk of skippedDisks(point)) output.line(`not in it: disk ${disk.diskId ?? '?'} ${disk.target ?? ''}: ${disk.reasons.join(', ')}`);
  output.document('point.show', { point: { ...pointDocument(point), ...marksDocument(marks), annotations: point.annotations, metadata: point.metadata } });
  return EXIT.ok;
}

function holdSpan({ createdAt, until }: PointMarks['holds'][number]): string {
  return `since ${formatTime(createdAt)}${until === undefined ? '' : ` until ${formatTime(until)}`}`;
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
