import type { StoredDisk } from '@onevault/backup-format';
import { diskFacts } from '@onevault/composition';
import type { GuestFileSystem, GuestSystem } from '@onevault/guest-files';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { addFilesFlags, type FilesFlags } from '../../files/files-flags.ts';
import { openFiles } from '../../files/open-files.ts';
import { remoteFileSystems } from '../../remote/files.ts';
import { type Column, printable, renderTable } from '../../render/table.ts';
import { formatBytes } from '../../render/units.ts';

interface FileSystemsFlags extends FilesFlags {
  readonly systems?: boolean;
}

export function fileSystemsCommand(run: RunCommand): Command {
  return addFilesFlags(
    new Command('filesystems')
      .argument('<point>', 'id, unique prefix of one, latest or latest~1')
      .description('file systems in partitions and LVM, and what cannot be read')
      .option('--systems', 'operating systems, too, with what each mounts where; takes some seconds more'),
  ).action((point: string, flags: FileSystemsFlags, sub: Command) =>
    run(
      sub,
      (context) => listFileSystems(context, point, flags),
      (context) => remoteFileSystems(context, point, flags),
    ),
  );
}

interface Row {
  readonly system: GuestFileSystem;
  readonly disk: StoredDisk | undefined;
}

const COLUMNS: readonly Column<Row>[] = [
  { name: 'FS', value: ({ system }) => system.device },
  { name: 'DISK', align: 'right', value: ({ disk }) => disk && (diskFacts(disk).diskId ?? disk.key) },
  { name: 'TYPE', value: ({ system }) => system.type },
  { name: 'LABEL', value: ({ system }) => system.label },
  { name: 'SIZE', align: 'right', value: ({ system }) => formatBytes(system.sizeBytes) },
  { name: 'USED', align: 'right', value: ({ system }) => (system.usedBytes === undefined ? undefined : formatBytes(system.usedBytes)) },
  { name: 'UUID', value: ({ system }) => system.uuid },
];

async function listFileSystems(context: CommandContext, text: string, flags: FileSystemsFlags): Promise<ExitCode> {
  const { output, signal } = context;
  await using opened = await openFiles(context, text, flags);
  const rows = (await opened.files.fileSystems({ usage: true, signal })).map(
    (system): Row => ({ system, disk: system.disk === undefined ? undefined : opened.disks[system.disk] }),
  );
  for (const line of renderTable(COLUMNS, rows)) output.line(line);
  for (const { system } of rows) if (system.problem !== undefined) output.line(`not readable: ${printable(system.device)}: ${printable(system.problem)}`);
  const systems = flags.systems === true ? await opened.files.operatingSystems({ signal }) : undefined;
  for (const line of (systems ?? []).flatMap(systemLines)) output.line(line);
  if (systems?.length === 0) output.note('no operating system is recognised on these disks');
  output.document('files.filesystems', {
    pointId: opened.point.id,
    fileSystems: rows.map(({ system, disk }) => fileSystemDocument(system, disk)),
    ...(systems && { systems }),
  });
  return EXIT.ok;
}

function systemLines({ root, product, mounts }: GuestSystem): string[] {
  const where = mounts.map(({ mountPoint, device }) => `  ${device} on ${mountPoint}`);
  return ['', `${root}: ${product ?? 'an operating system'}`, ...where].map(printable);
}

function fileSystemDocument(system: GuestFileSystem, disk: StoredDisk | undefined): object {
  const { device, type, label, uuid, sizeBytes, usedBytes, problem } = system;
  return {
    device,
    diskId: (disk && diskFacts(disk).diskId) ?? null,
    type,
    label: label ?? null,
    uuid: uuid ?? null,
    sizeBytes,
    usedBytes: usedBytes ?? null,
    problem: problem ?? null,
  };
}
