import { createRepository, type DiskReader, fileStore, type RestorePoint, type WritableRun } from '@onevault/backup-format';
import { systemClock } from '@onevault/base';

/** Backs one disk up into a new repository and hands its content to `restore`. `runs` come from a scan, in disk order. */
export async function keep(
  path: string,
  sizeBytes: number,
  runs: AsyncIterable<WritableRun>,
  restore: (disk: DiskReader) => Promise<void>,
): Promise<RestorePoint> {
  await using repository = await createRepository(fileStore(path), {}, { clock: systemClock });
  await using writer = await repository.begin({ group: 'vm-42', runId: 'run-1', capturedAt: '2026-11-22T19:00:00Z', mode: 'full' });
  await writer.writeDisk({ key: 'disk-0', sizeBytes }, runs);
  const point = await writer.commit({ annotations: { name: 'web' } }); // before this there is no restore point, after it there is
  await using disk = await repository.openDisk(point, 'disk-0');
  await restore(disk); // disk.blocks() yields zeros and data in order; disk is also the parent of the next incremental
  return point;
}
