import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Repository } from '@onevault/backup-format';
import { type CallOptions, Scope } from '@onevault/base';
import { type NbdExport, openOverlay } from '@onevault/nbd-server';
import { pointVm } from '../point/point-facts.ts';
import { diskText } from '../point/select-disk.ts';
import { BlockReading } from './block-reading.ts';
import { pointExport } from './point-export.ts';
import type { ServedDisk } from './served-disk.ts';

export interface OpenExports extends AsyncDisposable {
  readonly exports: ReadonlyMap<string, NbdExport>;
}

export interface ExportOptions {
  readonly cacheBytes: number;
  /** A file that takes what is written, or a temporary one for each disk; absent: nothing can be written. */
  readonly overlay?: string | true | undefined;
  /** Hears of each damaged block that somebody reads, once. */
  readonly onDamage?: (exportName: string, error: unknown) => void;
}

/**
 * Disks of restore points as exports with one cache of `cacheBytes`; with `overlay` each can be written, into that file or into a temporary one. Disposing ends what is
 * still being read, and flushes what was written; the server that serves them goes first.
 */
export async function openExports(
  repository: Repository,
  disks: readonly ServedDisk[],
  { cacheBytes, overlay, onDamage }: ExportOptions,
  options: CallOptions,
): Promise<OpenExports> {
  await using scope = new Scope();
  const ended = new AbortController();
  scope.defer(() => ended.abort());
  const { id: repositoryId, blockSizeBytes } = repository.config;
  const reading = new BlockReading({ cacheBytes, blockSizeBytes, signal: ended.signal, ...(onDamage && { onDamage }) });
  const exports = new Map<string, NbdExport>();
  for (const served of disks) {
    const { point, disk, name } = served;
    const opened = scope.use(await repository.openDisk(point, disk.key, options));
    const below = pointExport(opened, reading, { name, description: describe(served) });
    const identity = JSON.stringify({ repositoryId, pointId: point.id, disk: disk.key });
    exports.set(name, overlay === undefined ? below : scope.use(await openOverlay(below, { identity, ...(await overlayFile(overlay, scope)) })));
  }
  const owned = scope.move();
  return { exports, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

/** A file of its own for each disk, gone in the end; TMPDIR says where. */
async function overlayFile(overlay: string | true, scope: Scope): Promise<{ readonly path: string; readonly temporary: boolean }> {
  if (overlay !== true) return { path: overlay, temporary: false };
  const directory = await mkdtemp(join(tmpdir(), 'onevault-overlay-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  return { path: join(directory, 'overlay'), temporary: true };
}

function describe({ point, disk }: ServedDisk): string {
  const { name, id } = pointVm(point);
  return `disk ${diskText(disk)} of ${name ?? `VM ${id ?? point.group}`} at ${new Date(point.capturedAt).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
