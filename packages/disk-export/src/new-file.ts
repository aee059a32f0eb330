import { promises as fs, type Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '@onevault/base';
import { ExportError, exists, unusable } from './errors.ts';

/** Something that appears under its name whole, or not at all. Disposing removes what was not published. */
export interface Unpublished extends AsyncDisposable {
  /** Where it is written meanwhile: in the directory of its name, so that publishing is one rename. */
  readonly path: string;
  publish(): Promise<void>;
}

/** A place for a new file called `target`. Throws EXPORT_TARGET_EXISTS (unless `replace`), EXPORT_TARGET_KIND, EXPORT_TARGET_UNUSABLE. */
export async function newFile(target: string, { replace }: { readonly replace: boolean }): Promise<Unpublished> {
  await requireFree(target, replace);
  const work = await workDirectory(target);
  const path = join(work, basename(target));
  return {
    path,
    async publish() {
      if (replace) await renameTo(path, target);
      else await linkTo(path, target);
      await syncDirectory(dirname(target));
    },
    [Symbol.asyncDispose]: () => fs.rm(work, { recursive: true, force: true }),
  };
}

const NEW_DIRECTORY = 'name one that does not exist, or is empty';

/** A new directory called `target`, which must not exist or be empty. */
export async function newDirectory(target: string): Promise<Unpublished> {
  const stat = await statOf(target);
  if (stat && (!stat.isDirectory() || (await fs.readdir(target)).length > 0)) throw exists(target, NEW_DIRECTORY);
  const path = await workDirectory(target);
  return {
    path,
    async publish() {
      await syncDirectory(path);
      await renameTo(path, target, NEW_DIRECTORY); // over an empty directory, if there is one; the system refuses any other
      await syncDirectory(dirname(target));
    },
    [Symbol.asyncDispose]: () => fs.rm(path, { recursive: true, force: true }),
  };
}

async function requireFree(target: string, replace: boolean): Promise<void> {
  const stat = await statOf(target);
  if (!stat) return;
  if (!stat.isFile()) throw wrongKind(target, stat);
  if (!replace) throw exists(target);
}

function wrongKind(path: string, stat: Stats): ExportError {
  const [what, hint] = stat.isDirectory()
    ? ['a directory', 'name a file in it']
    : stat.isBlockDevice()
      ? ['a block device', 'what is on it would be lost: say that it is meant (--to-device)']
      : ['neither a file nor a block device', 'export to stdout and redirect it'];
  return new ExportError({ code: 'EXPORT_TARGET_KIND', message: `${path} is ${what}; nothing was written`, details: { path }, hint });
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await fs.stat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw unusable(path, error);
  }
}

/** Its name says what it is, should a kill leave it behind. */
async function workDirectory(target: string): Promise<string> {
  try {
    return await fs.mkdtemp(join(dirname(target), '.onevault-export-'));
  } catch (error) {
    throw unusable(target, error);
  }
}

/** link(2) refuses what came to exist meanwhile; rename(2) would replace it. */
async function linkTo(path: string, target: string): Promise<void> {
  try {
    await fs.link(path, target);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw exists(target);
    // FAT and some network file systems have no links.
    await requireFree(target, false);
    await renameTo(path, target);
  }
}

async function renameTo(path: string, target: string, hint?: string): Promise<void> {
  try {
    await fs.rename(path, target);
  } catch (error) {
    throw ['EEXIST', 'ENOTEMPTY'].includes(errorCode(error) ?? '') ? exists(target, hint) : unusable(target, error);
  }
}

/** Makes the name durable, where a directory can be synced at all. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await fs.open(path, 'r');
  try {
    await directory.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EBADF'].includes(errorCode(error) ?? '')) throw unusable(path, error);
  } finally {
    await directory.close();
  }
}
