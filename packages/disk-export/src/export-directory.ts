import { createHash } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Scope } from '@onevault/base';
import { ExportError, readFailure, unusable, writeFailure } from './errors.ts';
import type { ExportOptions, ExportReport } from './export-api.ts';
import { exportDisk } from './export-disk.ts';
import { newDirectory } from './new-file.ts';
import { signalOf } from './read-range.ts';
import type { ExportSource } from './source.ts';

export interface DirectoryContents {
  /** Each becomes a file of this name. Opened when its turn comes. */
  readonly disks: readonly { readonly name: string; open(): Promise<ExportSource & AsyncDisposable> }[];
  /** Small files beside them, by path inside the directory. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface DirectoryOptions extends Omit<ExportOptions, 'range' | 'onProgress'> {
  /** Default: true. Every file is read once more for it. */
  readonly checksums?: boolean;
  readonly onProgress?: (progress: {
    readonly disk: string;
    readonly phase: 'write' | 'verify' | 'checksum';
    readonly doneBytes: number;
    readonly totalBytes: number;
  }) => void;
}

/** What `sha256sum --check` takes. */
const CHECKSUMS = 'SHA256SUMS';

/**
 * Writes disks and files into a new directory, which appears under its name when everything in it is whole, and never otherwise. It may exist if it is empty.
 * Readable to its owner only. Reports are in the order of the disks. Throws as `exportDisk` does, and TypeError for a name that would leave the directory.
 */
export async function exportDirectory(path: string, contents: DirectoryContents, options: DirectoryOptions = {}): Promise<readonly ExportReport[]> {
  const names = [...contents.files.keys(), ...contents.disks.map(({ name }) => name)];
  requireNames(names);
  await using directory = await newDirectory(path);
  for (const [name, data] of contents.files) await writeNew(join(directory.path, name), data);
  const reports: ExportReport[] = [];
  for (const disk of contents.disks) {
    await using source = await disk.open();
    const { onProgress, checksums: _, ...rest } = options;
    const report = await exportDisk(
      source,
      { kind: 'file', path: join(directory.path, disk.name) },
      { ...rest, ...(onProgress && { onProgress: (progress) => onProgress({ disk: disk.name, ...progress }) }) },
    );
    reports.push(report);
  }
  if (options.checksums !== false) await writeNew(join(directory.path, CHECKSUMS), await checksumsOf(directory.path, names, options));
  options.signal?.throwIfAborted();
  await directory.publish();
  return reports;
}

/** Names come from a manifest: none may lead out of the directory, or be another's. */
function requireNames(names: readonly string[]): void {
  const seen = new Set<string>([CHECKSUMS]);
  for (const name of names) {
    if (!name.split('/').every((part) => /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(part))) throw new TypeError(`'${name}' is no name of a file in a directory`);
    if (seen.has(name)) throw new TypeError(`two files would be called '${name}'`);
    seen.add(name);
  }
}

async function writeNew(path: string, data: Uint8Array): Promise<void> {
  await using scope = new Scope();
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, 'wx', 0o600);
    scope.defer(() => file.close());
    await file.writeFile(data).catch((error: unknown) => {
      throw writeFailure(path, { offset: 0, length: data.length }, error);
    });
    await file.sync();
  } catch (error) {
    throw error instanceof ExportError ? error : unusable(path, error);
  }
}

async function checksumsOf(directory: string, names: readonly string[], options: DirectoryOptions): Promise<Buffer> {
  const lines: string[] = [];
  for (const name of names) lines.push(`${await sha256Of(directory, name, options)}  ${name}\n`);
  return Buffer.from(lines.join(''));
}

async function sha256Of(directory: string, name: string, options: DirectoryOptions): Promise<string> {
  const path = join(directory, name);
  const hash = createHash('sha256');
  let doneBytes = 0;
  try {
    await using file = await open(path);
    const totalBytes = (await file.stat()).size;
    for await (const bytes of file.createReadStream({ highWaterMark: 2 ** 20, autoClose: false, ...signalOf(options) }) as AsyncIterable<Buffer>) {
      hash.update(bytes);
      doneBytes += bytes.length;
      options.onProgress?.({ disk: name, phase: 'checksum', doneBytes, totalBytes });
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    throw readFailure(path, error);
  }
  return hash.digest('hex');
}
