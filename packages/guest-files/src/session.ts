import type { CallOptions, Clock } from '@onevault/base';
import type { GuestEntry } from './entry.ts';
import type { ExtractReport } from './extract/extract.ts';
import { extractPath } from './extract/extract-path.ts';
import { type FileSystemsOptions, type GuestFileSystem, listFileSystems, mountDevice, onlyFileSystem } from './file-systems.ts';
import { guestPath } from './fish/command-line.ts';
import type { Guestfish } from './fish/guestfish.ts';
import { type GuestDisk, launch } from './fish/launch.ts';
import { listDirectory, statPath, wrongKind } from './listing.ts';
import { type GuestSystem, inspect, type MissingMount, mountSystem } from './operating-systems.ts';
import { type FileRange, readGuestFile } from './read-file.ts';
import { checkedTar, type TarReport } from './tar/checked-tar.ts';
import { walkTree } from './walk.ts';

/** What a guest may cost us; a file system can claim any number of files and any size for them. */
export interface GuestLimits {
  /** Entries of one directory in a list (default 1 000 000), directories in one another (1000). */
  readonly maxListed: number;
  readonly maxDepth: number;
  /** Entries (10 000 000) and bytes of files, holes included (16 times the disks), in one archive or extraction. */
  readonly maxEntries: number;
  readonly maxBytes: number;
}

export interface GuestFilesDeps {
  readonly clock: Clock;
  readonly randomBytes: (length: number) => Uint8Array;
}

export interface OpenGuestFilesOptions extends CallOptions {
  /** All disks of the machine in its order, so that volumes over several of them are whole. */
  readonly disks: readonly GuestDisk[];
  /** PATH and what LIBGUESTFS_ and SUPERMIN_ variables there are. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A short path: sockets lie below it. */
  readonly tempDir: string;
  /** The micro-VM must be up after so long (default 3 min: without KVM it takes 15 s, the first time ever another 30 s). */
  readonly bootTimeoutMs?: number;
  /** A command, or the next bytes of a stream, may take so long (default 5 min). */
  readonly callTimeoutMs?: number;
  readonly limits?: Partial<GuestLimits>;
}

export interface TarOptions extends CallOptions {
  /** Extended attributes, ACLs and SELinux contexts, and times with their fractions: an archive in the pax format. */
  readonly attributes?: boolean;
}

/**
 * The files inside the disks of a machine, read in a micro-VM that sees them read-only. One call at a time is served, others wait; a stream must be read to
 * its end or the session is over, as it is after an abort or a time limit.
 */
export interface GuestFiles extends AsyncDisposable {
  /** With `usage`, none is in use afterwards. */
  fileSystems(options?: FileSystemsOptions): Promise<GuestFileSystem[]>;
  /** What is installed, with the file systems where each mounts them. Takes seconds, and none is in use afterwards. */
  operatingSystems(options?: CallOptions): Promise<GuestSystem[]>;
  /** Makes a file system the one that paths are of; without a device the only one there is. Throws FILES_FILE_SYSTEM_UNKNOWN, FILES_FILE_SYSTEM_UNREADABLE. */
  useFileSystem(device?: string, options?: CallOptions): Promise<void>;
  /** Makes an operating system with all it mounts the one that paths are of; answers what of it is missing. Throws FILES_SYSTEM_UNKNOWN, FILES_FILE_SYSTEM_UNREADABLE. */
  useSystem(root?: string, options?: CallOptions): Promise<readonly MissingMount[]>;
  /** Throws FILES_PATH_NOT_FOUND. */
  stat(path: Uint8Array, options?: CallOptions & { readonly follow?: boolean }): Promise<GuestEntry>;
  /** By the bytes of the names. Throws FILES_PATH_NOT_FOUND, FILES_PATH_KIND, FILES_LIMIT_EXCEEDED. */
  list(path: Uint8Array, options?: CallOptions): Promise<GuestEntry[]>;
  /** Everything below, a directory before what is in it. */
  walk(path: Uint8Array, options?: CallOptions): AsyncGenerator<GuestEntry, void>;
  /** The bytes of a file. */
  read(path: Uint8Array, options?: FileRange & CallOptions): AsyncGenerator<Buffer, void>;
  /** A directory as a tar archive, without entries that would leave the place where it is unpacked. */
  tar(path: Uint8Array, options?: TarOptions): AsyncGenerator<Buffer, TarReport>;
  /** Writes a file, or a directory with all below it, into a directory of this machine, under its own name; `/` without one. */
  extract(path: Uint8Array, options: ExtractPathOptions): Promise<ExtractReport>;
}

export interface ExtractPathOptions extends CallOptions {
  /** Directory of this machine; made when there is none. Nothing that is in it is overwritten or followed. */
  readonly target: string;
  /** Owner and group by number; needs root. */
  readonly ownership?: boolean;
  readonly setId?: boolean;
}

/** Starts the micro-VM. Throws FILES_LIBGUESTFS_MISSING, FILES_APPLIANCE_FAILED, FILES_APPLIANCE_TIMEOUT. */
export async function openGuestFiles(options: OpenGuestFilesOptions, deps: GuestFilesDeps): Promise<GuestFiles> {
  const launched = await launch({ bootTimeoutMs: 180_000, callTimeoutMs: 300_000, ...options }, deps);
  const { fish } = launched;
  try {
    const limits = await limitsOf(fish, options);
    return { ...sessionOn(fish, limits), [Symbol.asyncDispose]: () => launched[Symbol.asyncDispose]() };
  } catch (error) {
    await launched[Symbol.asyncDispose]();
    throw error;
  }
}

async function limitsOf(fish: Guestfish, { disks, limits = {}, signal }: OpenGuestFilesOptions): Promise<GuestLimits> {
  let diskBytes = 0;
  for (const at of disks.keys()) diskBytes += Number((await fish.run('blockdev-getsize64', [deviceName(at)], signal ? { signal } : {})).toString());
  return { maxListed: 1_000_000, maxDepth: 1000, maxEntries: 10_000_000, maxBytes: 16 * diskBytes, ...limits };
}

/** `/dev/sda` for 0, `/dev/sdaa` for 26. */
function deviceName(disk: number): string {
  const letters = (at: number): string => (at < 0 ? '' : letters(Math.floor(at / 26) - 1) + String.fromCharCode(97 + (at % 26)));
  return `/dev/sd${letters(disk)}`;
}

function sessionOn(fish: Guestfish, limits: GuestLimits): Omit<GuestFiles, keyof AsyncDisposable> {
  return {
    fileSystems: (options = {}) => listFileSystems(fish, options),
    operatingSystems: (options = {}) => inspect(fish, options),
    async useFileSystem(device, options = {}) {
      const chosen = device ?? (await onlyFileSystem(fish, options));
      await fish.run('umount-all', [], options);
      await mountDevice(fish, chosen, options);
    },
    useSystem: (root, options = {}) => mountSystem(fish, root, options),
    stat: (path, options = {}) => statPath(fish, path, options),
    list: (path, options = {}) => listDirectory(fish, path, { maxEntries: limits.maxListed }, options),
    walk: (path, options = {}) => walkTree(fish, path, { maxEntries: limits.maxListed, maxDepth: limits.maxDepth }, options),
    read: (path, options = {}) => readGuestFile(fish, path, options, options),
    tar: (path, options = {}) => tarOf(fish, path, limits, options),
    extract: (path, options) => extractPath(fish, path, limits, options),
  };
}

async function* tarOf(fish: Guestfish, path: Uint8Array, limits: GuestLimits, options: TarOptions): AsyncGenerator<Buffer, TarReport> {
  const { facts } = await statPath(fish, path, { ...options, follow: true });
  if (facts !== undefined && facts.type !== 'directory') throw wrongKind(path, facts, 'directory');
  const extended = options.attributes === true ? ['xattrs:true', 'selinux:true', 'acls:true'] : [];
  const source = fish.stream('tar-out', (output) => [guestPath(path), output, 'numericowner:true', ...extended], options);
  return yield* checkedTar(source, limits);
}
