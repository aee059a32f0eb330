import type { RestorePoint, StoredDisk } from '@onevault/backup-format';
import { diskFacts, diskText, keepLeased, pointVm, selectDisk, selectDisks } from '@onevault/composition';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { damageDocument, damageLine } from '../export/damage.ts';
import { exportAll } from '../export/export-all.ts';
import { addExportFlags, type ExportFlags, type ExportPlace, formatOf, placeOf, rangeOf } from '../export/export-flags.ts';
import { exportOne } from '../export/export-one.ts';
import type { Exported, ExportedDisk, ExportWork } from '../export/export-work.ts';
import { needsServer } from '../remote/not-through-server.ts';
import { exportSettings } from '../remote/settings.ts';
import { exportLine } from '../render/summary-line.ts';
import { selectPoint } from '../select/select-point.ts';

export function exportCommand(run: RunCommand): Command {
  const command = addExportFlags(
    new Command('export')
      .argument('<point>', 'id, unique prefix of one, latest or latest~1')
      .description('disks as raw or qcow2; needs no OpenNebula, only the repository and its key'),
  ).action((point: string, flags: ExportFlags, sub: Command) => run(sub, (context) => runExport(context, point, flags)));
  command
    .command('settings')
    .description('everything that is set at a server, as YAML without secrets: what apply takes; needs --server')
    .action((_flags: object, sub: Command) => run(sub, needsServer, (context) => exportSettings(context)));
  return command;
}

async function runExport(context: CommandContext, text: string, flags: ExportFlags): Promise<ExitCode> {
  const { compose, clock, signal, around, output } = context;
  const place = placeOf(flags, around.cwd);
  formatOf(flags); // before anything is opened
  rangeOf(flags);
  if (place.kind === 'stdout') requirePipe(context);
  await using repository = await compose.openRepository({ signal });
  const point = await selectPoint(repository, text, flags.vm, { signal });
  await using _lease = await keepLeased({ repository, clock, warn: (warning) => output.warn(warning), purpose: 'exporting' }, [point], { signal });
  const startedMs = clock.monotonicMs();
  const { disks, lost } = await exportTo(context, { repository, point, flags }, place);
  const durationMs = clock.monotonicMs() - startedMs;
  for (const { disk, report } of disks) for (const damage of report.damaged) output.warn(damageLine(diskText(disk), damage));
  const damaged = lost.length > 0 || disks.some(({ report }) => report.damaged.length > 0);
  const result = damaged ? 'damaged' : 'ok';
  const line = exportLine(
    { pointId: point.id, result, durationMs },
    disks.map(({ report }) => report),
  );
  if (place.kind === 'stdout') output.note(line);
  else output.line(line);
  output.document('export.result', {
    result,
    pointId: point.id,
    vm: vmDocument(point),
    durationMs,
    disks: disks.map(diskDocument),
    lost,
  });
  return damaged ? EXIT.partial : EXIT.ok;
}

/** Bytes of a disk are nothing for a terminal, nor for a program that waits for JSON. */
function requirePipe({ around, output }: CommandContext): void {
  if (around.stdoutIsTerminal) throw usageError('stdout is a terminal: it would be filled with the bytes of a disk', 'redirect it: > FILE or | PROGRAM');
  if (output.mode !== 'text') throw usageError('--json and --output - both want stdout', 'export to a file');
}

function exportTo(context: CommandContext, work: ExportWork, place: ExportPlace): Promise<Exported> {
  if (place.kind === 'directory') return exportAll(context, work, selectDisks(work.point, work.flags.disk), place.path);
  return exportOne(context, work, onlyDisk(work), place);
}

function onlyDisk({ point, flags }: ExportWork): StoredDisk {
  const [wanted, ...others] = flags.disk ?? [];
  if (others.length > 0) throw usageError('one disk at a time goes to a file, a pipe or a device', '--directory takes several');
  if (wanted !== undefined) return selectDisk(point, wanted);
  const [only, ...more] = point.disks;
  if (!only) throw usageError(`the restore point ${point.id} has no disk`);
  if (more.length > 0)
    throw usageError(
      `the restore point ${point.id} has ${point.disks.length} disks: ${point.disks.map(diskText).join(', ')}`,
      'choose one with --disk, or take all with --directory',
    );
  return only;
}

function vmDocument(point: RestorePoint): object {
  const { id, name } = pointVm(point);
  return { id: id ?? null, name: name ?? null };
}

function diskDocument({ disk, path, report }: ExportedDisk): object {
  const { damaged, ...facts } = report;
  return { diskId: diskFacts(disk).diskId ?? null, key: disk.key, path: path ?? null, ...facts, damaged: damaged.map(damageDocument) };
}
