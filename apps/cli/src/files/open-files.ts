import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RestorePoint, StoredDisk } from '@onevault/backup-format';
import { Scope } from '@onevault/base';
import { type GuestDisk, type GuestFiles, openGuestFiles } from '@onevault/guest-files';
import { serveNbd } from '@onevault/nbd-server';
import type { CommandContext } from '../command-context.ts';
import { keepLeased } from '../nbd/keep-leased.ts';
import { openExports } from '../nbd/open-exports.ts';
import { servedDisks } from '../nbd/served-disk.ts';
import type { Output } from '../render/output.ts';
import { selectPoint } from '../select/select-point.ts';
import { checkFlags, type FilesFlags } from './files-flags.ts';

/** Blocks that the micro-VM reads are read again and again: directories, inodes. */
const CACHE_BYTES = 128 * 1024 * 1024;

export interface OpenFiles extends AsyncDisposable {
  readonly files: GuestFiles;
  readonly point: RestorePoint;
  /** In the order of the micro-VM's: sda, sdb, … */
  readonly disks: readonly StoredDisk[];
}

/** The disks of a restore point in a micro-VM, by our NBD server on a socket that only this user can open. Needs neither OpenNebula nor a proxy VM. */
export async function openFiles(context: CommandContext, text: string, flags: FilesFlags): Promise<OpenFiles> {
  const { compose, clock, logger, signal, output, around } = context;
  checkFlags(flags);
  await using scope = new Scope();
  const repository = scope.use(await compose.openRepository({ signal }));
  const point = await selectPoint(repository, text, flags.vm, { signal });
  const served = servedDisks([point], flags.disk);
  scope.use(await keepLeased({ repository, clock, warn: (warning) => output.warn(warning) }, [point], { signal }));
  const { exports } = scope.use(await openExports(repository, served, { cacheBytes: CACHE_BYTES, onDamage: sayDamage(output) }, { signal }));
  const directory = await mkdtemp(join(tmpdir(), 'onevault-nbd-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  const socket = join(directory, 'socket');
  scope.use(await serveNbd({ exports, listen: { kind: 'unix', path: socket }, signal }, { clock, logger }));
  output.note(`starting the micro-VM that reads ${served.length === 1 ? 'the disk' : `the ${served.length} disks`} of ${point.id}`);
  const disks = served.map(({ name }): GuestDisk => ({ kind: 'nbd', socket, exportName: name }));
  const limits = flags.maxSize === undefined ? {} : { maxBytes: flags.maxSize };
  const files = scope.use(await openGuestFiles({ disks, environment: around.env, tempDir: tmpdir(), limits, signal }, { clock, randomBytes }));
  const owned = scope.move();
  return { files, point, disks: served.map(({ disk }) => disk), [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

/** What the guest's kernel calls an input/output error has a reason here. */
function sayDamage(output: Output): (exportName: string, error: unknown) => void {
  return (exportName, error) => output.warn(`${exportName}: ${error instanceof Error ? error.message : String(error)}`);
}

/** The same with the file system or operating system that the flags name in use. */
export async function openPlace(context: CommandContext, text: string, flags: FilesFlags): Promise<OpenFiles> {
  const { signal, output } = context;
  await using scope = new Scope();
  const opened = scope.use(await openFiles(context, text, flags));
  if (flags.root === undefined) await opened.files.useFileSystem(flags.fs, { signal });
  else {
    const missing = await opened.files.useSystem(flags.root === true ? undefined : flags.root, { signal });
    for (const { mountPoint, device, why } of missing) output.warn(`${mountPoint} is missing: ${device} cannot be mounted there: ${why}`);
  }
  const owned = scope.move();
  return { ...opened, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}
