import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { JobError } from './errors.ts';

/** A new file with this content, whole or not there, whatever happens; answers it open for appending. Fails when there is one. */
export async function createDurably(directory: string, path: string, content: string): Promise<FileHandle> {
  await makeDirectory(directory);
  const draft = `${path}.new`;
  const handle = await open(draft, 'ax', 0o600);
  try {
    await handle.appendFile(content);
    await handle.sync();
    await rename(draft, path);
    await syncDirectory(directory);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The content of the file from now on, or what it was before. */
export async function replaceDurably(directory: string, path: string, content: string): Promise<void> {
  await makeDirectory(directory);
  const draft = `${path}.new`;
  await rm(draft, { force: true }); // of somebody who died while writing it
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, path);
  await syncDirectory(directory);
}

export async function removeDurably(directory: string, path: string): Promise<void> {
  await rm(path, { force: true });
  await syncDirectory(directory);
}

/** With every directory made for it on stable storage: after a power cut a journal that cannot be found again is none. */
async function makeDirectory(directory: string): Promise<void> {
  const made = await mkdir(directory, { recursive: true, mode: 0o700 });
  for (let at = directory; made !== undefined && at !== dirname(made); at = dirname(at)) await syncDirectory(dirname(at));
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whatever goes wrong with a file of the state directory is the same to a run: it does nothing that it cannot write down. */
export async function attempt<T>(what: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw journalError(what, path, error);
  }
}

export function journalError(what: string, path: string, cause: unknown): JobError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new JobError({
    code: 'JOB_JOURNAL_FAILED',
    message: `${what} ${path}: ${why}`,
    details: { path },
    hint: 'without a journal nothing is done to the cloud: make the state directory writable (--state-dir) and give it space',
    cause,
  });
}
