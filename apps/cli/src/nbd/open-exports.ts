import type { Repository } from '@onevault/backup-format';
import { type CallOptions, Scope } from '@onevault/base';
import type { NbdExport } from '@onevault/nbd-server';
import { pointVm } from '../render/point-facts.ts';
import { formatTime } from '../render/units.ts';
import { diskText } from '../select/select-disk.ts';
import { BlockReading } from './block-reading.ts';
import { pointExport } from './point-export.ts';
import type { ServedDisk } from './served-disk.ts';

export interface OpenExports extends AsyncDisposable {
  readonly exports: ReadonlyMap<string, NbdExport>;
}

/** Disks of restore points as read-only exports with one cache of `cacheBytes`. Disposing ends what is still being read; the server that serves them goes first. */
export async function openExports(repository: Repository, disks: readonly ServedDisk[], cacheBytes: number, options: CallOptions): Promise<OpenExports> {
  await using scope = new Scope();
  const ended = new AbortController();
  scope.defer(() => ended.abort());
  const { blockSizeBytes } = repository.config;
  const reading = new BlockReading({ cacheBytes, blockSizeBytes, signal: ended.signal });
  const exports = new Map<string, NbdExport>();
  for (const served of disks) {
    const disk = scope.use(await repository.openDisk(served.point, served.disk.key, options));
    exports.set(served.name, pointExport(disk, reading, { name: served.name, description: describe(served) }));
  }
  const owned = scope.move();
  return { exports, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

function describe({ point, disk }: ServedDisk): string {
  const { name, id } = pointVm(point);
  return `disk ${diskText(disk)} of ${name ?? `VM ${id ?? point.group}`} at ${formatTime(point.capturedAt)} UTC`;
}
