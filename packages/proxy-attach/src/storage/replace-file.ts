import { chmod, chown, constants, copyFile, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '@onevault/base';

/** Beside a changed file: what it was before we ever changed it. */
const BACKUP_SUFFIX = '.before-onevault';

const MODE = 0o644;

/**
 * Replaces a file in one step, durably, with the mode and owner it had; a reader sees the old text or the new one. Answers the suffix of the copy that
 * holds the text from before the first change, undefined when the file is new.
 */
export async function replaceFile(path: string, text: string): Promise<string | undefined> {
  const before = await stat(path).catch(missing);
  await mkdir(dirname(path), { recursive: true });
  if (before !== undefined) await copyFile(path, `${path}${BACKUP_SUFFIX}`, constants.COPYFILE_EXCL).catch(existing);
  const draft = `${path}.onevault-new`;
  await rm(draft, { force: true });
  try {
    await writeDurably(draft, text);
    await chmod(draft, before === undefined ? MODE : before.mode & 0o7777);
    if (before !== undefined) await chown(draft, before.uid, before.gid);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
  return before === undefined ? undefined : BACKUP_SUFFIX;
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', MODE);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function missing(error: unknown): undefined {
  if (errorCode(error) !== 'ENOENT') throw error;
}

function existing(error: unknown): void {
  if (errorCode(error) !== 'EEXIST') throw error;
}
