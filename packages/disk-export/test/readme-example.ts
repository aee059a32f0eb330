import type { Writable } from 'node:stream';
import { type ExportSource, exportDisk } from '@onevault/disk-export';

/** Saves a disk as an image that QEMU opens. `disk` is what `repository.openDisk` of @onevault/backup-format gives, or anything like it. */
export async function saveImage(disk: ExportSource, path: string, signal: AbortSignal): Promise<number> {
  const report = await exportDisk(disk, { kind: 'file', path }, { format: { kind: 'qcow2', compression: 'zstd' }, verify: true, signal });
  return report.writtenBytes;
}

/** Gives the first MiB, where the partition table is, to whoever reads the stream. */
export async function sendHead(disk: ExportSource, stream: Writable): Promise<void> {
  await exportDisk(disk, { kind: 'stream', stream }, { range: { length: 2 ** 20 } });
}
