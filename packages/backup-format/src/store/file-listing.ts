import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallOptions } from '@onevault/base';
import { isAbsent } from './file-errors.ts';
import type { ObjectKey, ObjectStat } from './object-store.ts';

interface Entry {
  readonly name: string;
  readonly key: string;
  readonly directory: boolean;
}

export interface ListedRoot {
  readonly path: string;
  /** Called for whatever turns out to be absent; throws when that is because the root is. */
  onAbsent(): Promise<void>;
}

/** Names that are never objects begin with a dot: our temporary files, and `.nfs…`, which stands for a file that somebody deleted while it was open. */
export const TEMPORARY_PREFIX = '.tmp-';

/** The objects below a directory in ascending order of key. Memory: the names of the directories on the path. Errors are the system's own. */
export async function* listFiles(root: ListedRoot, directory: string, options: CallOptions): AsyncGenerator<ObjectStat, void> {
  for (const { name, key, directory: isDirectory } of await readEntries(root, directory)) {
    options.signal?.throwIfAborted();
    if (name.startsWith('.') || key === 'lost+found') continue;
    if (isDirectory) yield* listFiles(root, key, options);
    else {
      const sizeBytes = await sizeOf(root, key);
      if (sizeBytes !== undefined) yield { key, sizeBytes };
    }
  }
}

/** Paths of the temporary files below a directory. */
export async function* listTemporaries(root: ListedRoot, directory: string, options: CallOptions): AsyncGenerator<ObjectKey, void> {
  for (const { name, key, directory: isDirectory } of await readEntries(root, directory)) {
    options.signal?.throwIfAborted();
    if (isDirectory && !name.startsWith('.') && key !== 'lost+found') yield* listTemporaries(root, key, options);
    if (!isDirectory && name.startsWith(TEMPORARY_PREFIX)) yield join(root.path, key);
  }
}

/** Sorted as keys sort: a directory by its name and the slash that follows it. */
async function readEntries(root: ListedRoot, directory: string): Promise<Entry[]> {
  let dirents: Dirent[];
  try {
    dirents = await readdir(join(root.path, directory), { withFileTypes: true });
  } catch (error) {
    if (!isAbsent(error)) throw error;
    await root.onAbsent();
    return [];
  }
  const entries: Entry[] = [];
  for (const dirent of dirents) {
    const key = directory === '' ? dirent.name : `${directory}/${dirent.name}`;
    // Some network file systems do not say what an entry is, and a link says only that it is one.
    const known = dirent.isFile() || dirent.isDirectory();
    entries.push({ name: dirent.name, key, directory: known ? dirent.isDirectory() : await isDirectoryAt(join(root.path, key)) });
  }
  return entries.sort((a, b) => compare(sortKey(a), sortKey(b)));
}

/** Undefined for what was deleted since the directory was read. */
async function sizeOf(root: ListedRoot, key: ObjectKey): Promise<number | undefined> {
  try {
    return (await stat(join(root.path, key))).size;
  } catch (error) {
    if (!isAbsent(error)) throw error;
    await root.onAbsent();
    return undefined;
  }
}

async function isDirectoryAt(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

function sortKey(entry: Entry): string {
  return entry.directory ? `${entry.name}/` : entry.name;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
