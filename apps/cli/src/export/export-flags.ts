import { resolve } from 'node:path';
import { parseBytes } from '@onevault/composition';
import type { Compression, ExportFormat } from '@onevault/disk-export';
import { type Command, Option } from 'commander';
import { usageError } from '../errors.ts';

export interface ExportFlags {
  readonly vm?: string;
  readonly disk?: readonly string[];
  readonly output?: string;
  readonly directory?: string;
  readonly toDevice?: string;
  readonly format?: 'raw' | 'qcow2';
  readonly compress?: Compression;
  readonly clusterSize?: string;
  readonly offset?: string;
  readonly length?: string;
  readonly preallocate?: boolean;
  readonly force?: boolean;
  readonly verify?: boolean;
  readonly skipDamaged?: boolean;
  readonly checksums: boolean;
}

export function addExportFlags(command: Command): Command {
  const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];
  return command
    .option('--vm <vm>', 'whose latest')
    .option('--disk <disk>', 'id or target; with --directory it may be repeated, default: all', collect)
    .optionsGroup('To (one of them):')
    .option('-o, --output <path>', 'a new file, or - for stdout')
    .option('--directory <dir>', 'a new directory: disks, what was saved of the VM, checksums')
    .option('--to-device <path>', 'a block device that nobody has mounted: WHAT IS ON IT IS LOST')
    .optionsGroup('As:')
    .addOption(new Option('--format <format>', 'default: raw').choices(['raw', 'qcow2']))
    .addOption(new Option('--compress <method>', 'clusters of a qcow2 image; zstd needs QEMU 5.1').choices(['zlib', 'zstd']))
    .option('--cluster-size <size>', 'of a qcow2 image, 4KiB to 2MiB; default: 64KiB')
    .option('--offset <bytes>', 'only what begins there: 1MiB, 2048')
    .option('--length <bytes>', 'only so much')
    .option('--preallocate', 'write the zeros of a raw file too, instead of leaving holes')
    .optionsGroup('How:')
    .option('--force', 'replace the file when it exists')
    .option('--verify', 'read back what was written and compare it with the repository')
    .option('--skip-damaged', 'leave holes where the repository is damaged, name them, and end with exit code 3')
    .option('--no-checksums', 'no SHA256SUMS in the directory');
}

export type ExportPlace =
  | { readonly kind: 'stdout' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'device'; readonly path: string };

/** Where to, and whatever else only makes sense with it. */
export function placeOf(flags: ExportFlags, cwd: string): ExportPlace {
  const { output, directory, toDevice } = flags;
  const given = [output, directory, toDevice].filter((one) => one !== undefined);
  if (given.length !== 1) throw usageError('say where to: --output FILE, --output -, --directory DIR or --to-device PATH', 'one of them');
  if (given[0] === '') throw usageError('the name of what to write is empty');
  if (directory !== undefined) {
    refuse(flags, ['offset', 'length', 'preallocate', 'force'], '--directory');
    return { kind: 'directory', path: resolve(cwd, directory) };
  }
  if (!flags.checksums) throw usageError('only --directory has checksums to leave out');
  if (toDevice !== undefined) {
    refuse(flags, ['format', 'compress', 'clusterSize', 'preallocate', 'force'], '--to-device');
    return { kind: 'device', path: resolve(cwd, toDevice) };
  }
  if (output !== '-') return { kind: 'file', path: resolve(cwd, output ?? '') };
  refuse(flags, ['verify', 'preallocate', 'force'], '--output -');
  return { kind: 'stdout' };
}

function refuse(flags: ExportFlags, names: readonly (keyof ExportFlags)[], beside: string): void {
  const given = names.find((name) => flags[name] !== undefined);
  if (given !== undefined) throw usageError(`--${given.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} makes no sense with ${beside}`);
}

export function formatOf({ format, compress, clusterSize }: ExportFlags): ExportFormat {
  if (format === 'qcow2')
    return { kind: 'qcow2', ...(compress && { compression: compress }), ...(clusterSize !== undefined && { clusterBytes: bytesOf(clusterSize) }) };
  if (compress !== undefined || clusterSize !== undefined) throw usageError('only qcow2 images have clusters', '--format qcow2');
  return { kind: 'raw' };
}

export function rangeOf({ offset, length }: ExportFlags): { readonly offset?: number; readonly length?: number } {
  return { ...(offset !== undefined && { offset: bytesOf(offset) }), ...(length !== undefined && { length: bytesOf(length) }) };
}

function bytesOf(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined) throw usageError(`'${text}' is no number of bytes`, 'as 1048576, 1MiB or 16GiB');
  return bytes;
}
