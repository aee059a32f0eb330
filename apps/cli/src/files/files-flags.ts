import { parseBytes } from '@onevault/composition';
import { unescapeName } from '@onevault/guest-files';
import { type Command, InvalidArgumentError } from 'commander';
import { usageError } from '../errors.ts';

/** What every command of `files` takes. */
export interface FilesFlags {
  readonly vm?: string;
  readonly disk?: readonly string[];
  readonly fs?: string;
  /** True where no root is named. */
  readonly root?: string | true;
  readonly escaped?: boolean;
  readonly maxSize?: number;
}

export function addFilesFlags(command: Command): Command {
  return command
    .optionsGroup('Which disks:')
    .option('--vm <vm>', 'whose latest')
    .option('--disk <disk>', 'id or target; may be repeated. Default: all, so that volumes over several disks are whole', collect);
}

export function addPlaceFlags(command: Command): Command {
  return addFilesFlags(command)
    .optionsGroup('Which files (default: of the only file system):')
    .option('--fs <device>', 'a file system as `files filesystems` names it: /dev/sda1, /dev/vg/root')
    .option('--root [device]', 'the operating system with all it mounts; its root, where there are several. Takes some seconds more')
    .option('-e, --escaped', 'paths are written as the listing shows them: \\xNN for a byte, \\\\ for a backslash');
}

export function addLimitFlag(command: Command): Command {
  return command.option('--max-size <size>', 'of all files together, holes included; default: 16 times the disks', parseSize);
}

/** A path as typed, as bytes. */
export function pathOf(text: string, { escaped }: FilesFlags): Buffer {
  return escaped === true ? unescapeName(text) : Buffer.from(text, 'utf8');
}

/** Flags that do not go together. */
export function checkFlags({ fs, root }: FilesFlags): void {
  if (fs !== undefined && root !== undefined)
    throw usageError('--fs and --root exclude one another', '--fs is one file system, --root an operating system with all it mounts');
  // `--root /etc` is a path that the option has taken.
  if (typeof root === 'string' && !/^(btrfsvol:)?\/dev\//.test(root))
    throw usageError(`--root is named by a device, and '${root}' is none`, 'put --root behind the paths');
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

export function parseSize(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined) throw new InvalidArgumentError('a size, such as 512, 64KiB or 100GiB.');
  return bytes;
}
