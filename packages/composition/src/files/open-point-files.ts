import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Repository, RestorePoint, StoredDisk } from '@onevault/backup-format';
import { type CallOptions, type Clock, type Logger, Scope } from '@onevault/base';
import { type GuestDisk, type GuestFiles, openGuestFiles } from '@onevault/guest-files';
import { serveNbd } from '@onevault/nbd-server';
import { keepLeased } from '../exports/keep-leased.ts';
import { openExports } from '../exports/open-exports.ts';
import { servedDisks } from '../exports/served-disk.ts';

/** Blocks that the micro-VM reads are read again and again: directories, inodes. */
const CACHE_BYTES = 128 * 1024 * 1024;

export interface PointFilesDeps {
  readonly repository: Repository;
  readonly clock: Clock;
  readonly logger: Logger;
  /** For people: a block is damaged, a lease is lost. */
  readonly warn: (text: string) => void;
  /** For people: what takes a while. */
  readonly note?: (text: string) => void;
  /** LIBGUESTFS_*, PATH. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export interface PointFilesRequest {
  readonly point: RestorePoint;
  /** By id, target or key; default: all, so that volumes over several disks are whole. */
  readonly disks?: readonly string[] | undefined;
  /** Of all files together that are read out, holes included. */
  readonly maxBytes?: number | undefined;
}

export interface PointFiles extends AsyncDisposable {
  readonly files: GuestFiles;
  readonly point: RestorePoint;
  /** In the order of the micro-VM's: sda, sdb, … */
  readonly disks: readonly StoredDisk[];
}

/**
 * The disks of a restore point in a micro-VM, by our NBD server on a socket that only this user can open. Needs neither OpenNebula nor a proxy VM. The repository stays
 * the caller's, and outlives what is opened here.
 */
export async function openPointFiles(deps: PointFilesDeps, { point, disks, maxBytes }: PointFilesRequest, options: CallOptions): Promise<PointFiles> {
  const { repository, clock, logger, warn, note, environment } = deps;
  await using scope = new Scope();
  const served = servedDisks([point], disks);
  scope.use(await keepLeased({ repository, clock, warn }, [point], options));
  // What the guest's kernel calls an input/output error has a reason here.
  const onDamage = (exportName: string, error: unknown): void => warn(`${exportName}: ${error instanceof Error ? error.message : String(error)}`);
  const { exports } = scope.use(await openExports(repository, served, { cacheBytes: CACHE_BYTES, onDamage }, options));
  const directory = await mkdtemp(join(tmpdir(), 'onevault-nbd-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  const socket = join(directory, 'socket');
  scope.use(await serveNbd({ exports, listen: { kind: 'unix', path: socket }, ...options }, { clock, logger }));
  note?.(`starting the micro-VM that reads ${served.length === 1 ? 'the disk' : `the ${served.length} disks`} of ${point.id}`);
  const guestDisks = served.map(({ name }): GuestDisk => ({ kind: 'nbd', socket, exportName: name }));
  const limits = maxBytes === undefined ? {} : { maxBytes };
  const files = scope.use(await openGuestFiles({ disks: guestDisks, environment, tempDir: tmpdir(), limits, ...options }, { clock, randomBytes }));
  const owned = scope.move();
  return { files, point, disks: served.map(({ disk }) => disk), [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}
