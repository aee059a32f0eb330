import { join } from 'node:path';
import { isRepositoryError, type StoredDisk } from '@onevault/backup-format';
import { diskName } from '@onevault/composition';
import { exportDirectory } from '@onevault/disk-export';
import type { CommandContext } from '../command-context.ts';
import { damageOf } from './damage.ts';
import { directoryReadme } from './directory-readme.ts';
import { formatOf } from './export-flags.ts';
import { exportProgress } from './export-progress.ts';
import type { Exported, ExportWork } from './export-work.ts';

/** Disks into a new directory, with everything that was saved of the VM. */
export async function exportAll(context: CommandContext, work: ExportWork, chosen: readonly StoredDisk[], path: string): Promise<Exported> {
  const { repository, point, flags } = work;
  const { signal, output } = context;
  const format = formatOf(flags);
  const disks = chosen.map((disk) => ({ disk, file: `${diskName(disk)}.${format.kind}` }));
  const { files, lost } = await readMetadata(context, work);
  const readme = directoryReadme({ point, disks, format: format.kind, checksums: flags.checksums, metadata: [...files.keys()], lost });
  using progress = exportProgress(context);
  const reports = await exportDirectory(
    path,
    {
      files: new Map([['README.txt', Buffer.from(readme)], ...files]),
      disks: disks.map(({ disk, file }) => ({ name: file, open: () => repository.openDisk(point, disk.key, { signal }) })),
    },
    {
      signal,
      format,
      verify: flags.verify ?? false,
      checksums: flags.checksums,
      ...(flags.skipDamaged && { damageOf }),
      onProgress: (step) => progress.show(step),
    },
  );
  if (files.has('secrets.json')) output.warn(`${join(path, 'secrets.json')} holds passwords of the VM in the clear`);
  const exported = disks.flatMap(({ disk, file }, at) => {
    const report = reports[at];
    return report ? [{ disk, path: join(path, file), report }] : [];
  });
  return { disks: exported, lost };
}

/** With --skip-damaged a file that cannot be read is named and left out. */
async function readMetadata(
  { output, signal }: CommandContext,
  { repository, point, flags }: ExportWork,
): Promise<{ readonly files: Map<string, Uint8Array>; readonly lost: readonly string[] }> {
  const files = new Map<string, Uint8Array>();
  const lost: string[] = [];
  for (const { name } of point.metadata) {
    try {
      files.set(name, await repository.readMetadata(point, name, { signal }));
    } catch (error) {
      if (!flags.skipDamaged || !isRepositoryError(error, 'REPO_CHUNK_CORRUPT', 'REPO_CHUNK_MISSING')) throw error;
      output.warn(`${name} is damaged (${error.code}) and left out`);
      lost.push(name);
    }
  }
  return { files, lost };
}
