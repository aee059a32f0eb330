import { link, rename, stat, unlink } from 'node:fs/promises';
import { errorCode } from '@onevault/base';
import { objectExists } from './object-errors.ts';
import type { ObjectKey } from './object-store.ts';

/** `exclusive` fails if the name is taken; `replace` takes it from whoever has it. */
export type Naming = 'exclusive' | 'replace';

/** A temporary file, durable and closed. */
export interface NamelessFile {
  readonly key: ObjectKey;
  readonly temporary: string;
  /** Device and inode: what the file is, whatever it is called. */
  readonly identity: string;
}

/** Gives the file its name, whole and at once. Not yet durable: the directory is to be synced. */
export function giveName(file: NamelessFile, path: string, naming: Naming): Promise<void> {
  return naming === 'replace' ? replace(file, path) : linkExclusively(file, path);
}

/** An NFS server may have renamed and lost the answer; the client asks again, and the file is gone from its old name. */
async function replace(file: NamelessFile, path: string): Promise<void> {
  try {
    await rename(file.temporary, path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' || !(await isSameFile(file, path))) throw error;
  }
}

/** `link` is the one portable way to take a name only if it is free, with the whole file behind it at once. */
async function linkExclusively(file: NamelessFile, path: string): Promise<void> {
  try {
    await link(file.temporary, path);
  } catch (error) {
    const code = errorCode(error);
    if (LINK_UNSUPPORTED.has(code ?? '')) return renameIfFree(file, path);
    if (code !== 'EEXIST') throw error;
    // An NFS server may have made the link and lost the answer: then the name is that of our own file.
    if (!(await isSameFile(file, path))) throw objectExists(file.key, error);
  }
  // The object is there; its second name is hidden from listings, and a sweep removes it if this does not.
  await unlink(file.temporary).catch(() => undefined);
}

const LINK_UNSUPPORTED = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** File systems without hard links (exFAT, some FUSE): not exclusive in a race, but keys are random and the config is written by a person's command. */
async function renameIfFree(file: NamelessFile, path: string): Promise<void> {
  try {
    await stat(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    return replace(file, path);
  }
  throw objectExists(file.key);
}

async function isSameFile(file: NamelessFile, path: string): Promise<boolean> {
  try {
    return fileIdentity(await stat(path, { bigint: true })) === file.identity;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

export function fileIdentity(found: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${found.dev}:${found.ino}`;
}
