import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CallOptions, Scope } from '@onevault/base';
import { GuestFilesError, isGuestFilesError } from '../errors.ts';
import { applianceBootsTooLong, applianceDoesNotBoot } from './appliance-errors.ts';
import type { Argument } from './command-line.ts';
import { Guestfish, type GuestfishDeps } from './guestfish.ts';

/** A disk as libguestfs gets it; always read as raw, never probed: a guest could have written a qcow2 header that names a file of ours. */
export type GuestDisk =
  | { readonly kind: 'file'; readonly path: string }
  /** An export of an NBD server on a Unix socket. */
  | { readonly kind: 'nbd'; readonly socket: string; readonly exportName?: string };

export interface LaunchOptions extends CallOptions {
  /** In the order of the guest: sda, sdb, … */
  readonly disks: readonly GuestDisk[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Short enough that a socket fits below it: a path of 60 bytes does. */
  readonly tempDir: string;
  readonly bootTimeoutMs: number;
  readonly callTimeoutMs: number;
}

/** guestfish with all disks in a running micro-VM. Throws FILES_LIBGUESTFS_MISSING, FILES_APPLIANCE_FAILED, FILES_APPLIANCE_TIMEOUT. */
export async function launch(options: LaunchOptions, deps: GuestfishDeps): Promise<{ readonly fish: Guestfish } & AsyncDisposable> {
  if (options.disks.length === 0) throw new RangeError('no disk to look into');
  await using scope = new Scope();
  const directory = await mkdtemp(join(options.tempDir, 'onevault-files-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  const fish = scope.use(await Guestfish.start({ ...options, directory }, deps));
  for (const disk of options.disks) await fish.run('add-drive', driveArguments(disk), options);
  await boot(fish, options);
  const owned = scope.move();
  return { fish, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

async function boot(fish: Guestfish, options: LaunchOptions): Promise<void> {
  const call = { ...(options.signal && { signal: options.signal }), timeoutMs: options.bootTimeoutMs };
  const reply = await fish.attempt('launch', [], call).catch((error: unknown) => {
    if (isGuestFilesError(error, 'FILES_APPLIANCE_TIMEOUT')) throw applianceBootsTooLong(options.bootTimeoutMs);
    throw error;
  });
  if (!reply.ok) throw applianceDoesNotBoot(reply.said);
}

/** Read-only is a layer in the session's directory: a journal that is to be replayed is written there. */
function driveArguments(disk: GuestDisk): Argument[] {
  if (disk.kind === 'file') return [disk.path, 'readonly:true', 'format:raw'];
  if (!/^\/[\x21-\x7e]*$/.test(disk.socket) || /['"\\]/.test(disk.socket))
    throw new GuestFilesError({
      code: 'FILES_APPLIANCE_FAILED',
      message: `${disk.socket} is no path of a socket that can be named to libguestfs`,
      hint: 'use a path of plain characters',
    });
  return [disk.exportName ?? '', 'readonly:true', 'format:raw', 'protocol:nbd', `server:unix:${disk.socket}`];
}
