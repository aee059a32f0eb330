import { open, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsent } from './file-errors.ts';
import { type ListedRoot, listTemporaries, TEMPORARY_PREFIX } from './file-listing.ts';
import type { SweepOptions, SweepReport } from './object-store.ts';

/**
 * Removes the temporary files that nobody has written to for `olderThanMs`. Both times come from the file system itself, a server's on a network mount:
 * the file's last change, and that of a probe written just now; no clock of this machine is asked. Errors are the system's own.
 */
export async function sweepTemporaryFiles(root: ListedRoot, probeName: string, options: SweepOptions): Promise<SweepReport> {
  options.signal?.throwIfAborted();
  const probe = join(root.path, `${TEMPORARY_PREFIX}probe-${probeName}`);
  const now = await writeProbe(probe);
  if (now === undefined) return { removed: 0, removedBytes: 0, kept: 0 };
  const report = { removed: 0, removedBytes: 0, kept: 0 };
  try {
    for await (const path of listTemporaries(root, '', options)) {
      if (path === probe) continue;
      const swept = await removeIfOld(path, now - options.olderThanMs);
      if (swept === 'young') report.kept += 1;
      else if (swept !== 'gone') {
        report.removed += 1;
        report.removedBytes += swept;
      }
    }
  } finally {
    await unlink(probe).catch(ignoreAbsent);
  }
  return report;
}

/** When the file system says it is now; undefined where there is no directory. One byte is written: only then does a server set the time. */
async function writeProbe(path: string): Promise<number | undefined> {
  try {
    const handle = await open(path, 'wx');
    try {
      await handle.write('.');
      await handle.sync();
      return (await handle.stat()).mtimeMs;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

async function removeIfOld(path: string, changedUntilMs: number): Promise<number | 'young' | 'gone'> {
  try {
    const found = await stat(path);
    if (found.mtimeMs > changedUntilMs) return 'young';
    await unlink(path);
    // A file with a second name is an object whose writer died before it took the first one away.
    return found.nlink > 1 ? 0 : found.size;
  } catch (error) {
    if (isAbsent(error)) return 'gone';
    throw error;
  }
}

function ignoreAbsent(error: unknown): void {
  if (!isAbsent(error)) throw error;
}
