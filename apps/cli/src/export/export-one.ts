import { stat } from 'node:fs/promises';
import type { StoredDisk } from '@onevault/backup-format';
import { Scope } from '@onevault/base';
import { openWritableBlockDevice } from '@onevault/block-cbt';
import { diskText } from '@onevault/composition';
import { type ExportTarget, exportDisk } from '@onevault/disk-export';
import type { CommandContext } from '../command-context.ts';
import { usageError } from '../errors.ts';
import { damageOf } from './damage.ts';
import { type ExportPlace, formatOf, rangeOf } from './export-flags.ts';
import { exportProgress } from './export-progress.ts';
import type { Exported, ExportWork } from './export-work.ts';

/** One disk to a file, to stdout or onto a block device. */
export async function exportOne(
  context: CommandContext,
  { repository, point, flags }: ExportWork,
  disk: StoredDisk,
  place: Exclude<ExportPlace, { kind: 'directory' }>,
): Promise<Exported> {
  const { signal } = context;
  await using scope = new Scope();
  const source = scope.use(await repository.openDisk(point, disk.key, { signal }));
  const target = await openTarget(context, flags, place, scope);
  using progress = exportProgress(context);
  const report = await exportDisk(source, target, {
    signal,
    format: formatOf(flags),
    range: rangeOf(flags),
    verify: flags.verify ?? false,
    ...(flags.skipDamaged && { damageOf }),
    onProgress: (step) => progress.show({ disk: diskText(disk), ...step }),
  });
  return { disks: [{ disk, path: place.kind === 'stdout' ? undefined : place.path, report }], lost: [] };
}

async function openTarget(
  { around, signal }: CommandContext,
  { force, preallocate }: ExportWork['flags'],
  place: Exclude<ExportPlace, { kind: 'directory' }>,
  scope: Scope,
): Promise<ExportTarget> {
  switch (place.kind) {
    case 'file':
      return { kind: 'file', path: place.path, replace: force ?? false, preallocate: preallocate ?? false };
    case 'stdout':
      if (!around.stdout) throw usageError('there is no stdout to write to');
      return { kind: 'stream', stream: around.stdout };
    case 'device': {
      const found = await stat(place.path).catch(() => undefined);
      if (found && !found.isBlockDevice()) throw usageError(`${place.path} is no block device`, 'a file is written with --output');
      return { kind: 'device', device: scope.use(await openWritableBlockDevice(place.path, { exclusive: true, signal })) };
    }
  }
}
