import { statfsSync } from 'node:fs';
import { QueueError } from '../errors.ts';
import { damaged } from './damaged.ts';
import type { Death } from './mortal-pglite.ts';

/** What is the machine's and not the database's, by what it is called where it came from. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  // PostgreSQL has no code of its own for a quota, nor for a file system that is read only (errcode_for_file_access in src/backend/utils/error/elog.c).
  ENOSPC: ['53100', 'No space left on device', 'Quota exceeded', 'EDQUOT'],
  EROFS: ['Read-only file system'],
  EACCES: ['42501', 'EPERM', 'Permission denied', 'Operation not permitted'],
};

/** Errors of the file system in WebAssembly have a number and no text: WASI's, which are not Linux's. */
const WASI: Readonly<Record<number, string>> = {
  2: 'EACCES',
  19: 'EDQUOT',
  22: 'EFBIG',
  29: 'EIO',
  33: 'EMFILE',
  41: 'ENFILE',
  44: 'ENOENT',
  48: 'ENOMEM',
  51: 'ENOSPC',
  54: 'ENOTDIR',
  63: 'EPERM',
  69: 'EROFS',
};

const SURVIVES = 'Nothing that must survive is in it: restore points are in the repository, policies and audit are files';

/** What its surroundings do to the embedded database, with what to do about it. Undefined: what failed is the statement, or the database. */
export function surroundings(directory: string, error: unknown): QueueError | undefined {
  const { code, message } = plain(error);
  const known = Object.entries(NAMES).find(([name, others]) => name === code || others.some((other) => other === code || message.includes(other)))?.[0];
  const facts = { details: { directory }, cause: error };
  switch (known) {
    case 'ENOSPC':
      return noSpace(directory, error);
    case 'EROFS':
      return new QueueError({
        ...facts,
        code: 'QUEUE_DATABASE_READ_ONLY',
        message: `the embedded database in ${directory} cannot be written: its file system is read only`,
        hint: `see the kernel's log why, and mount it writable, or give another --state-dir. ${SURVIVES}`,
      });
    case 'EACCES':
      return new QueueError({
        ...facts,
        code: 'QUEUE_DATABASE_FORBIDDEN',
        message: `the embedded database in ${directory} may not be used by this user: ${message}`,
        hint: 'give the directory and all that is in it to the user of the server (chown -R); a server that was once started by root leaves files of root',
      });
  }
  // 57: PostgreSQL was told to end; 53: other resources of the machine.
  if (!/^(E[A-Z]+\d*|53...|57...)$/.test(code)) return undefined;
  return new QueueError({
    ...facts,
    code: 'QUEUE_DATABASE_UNREACHABLE',
    message: `the embedded database in ${directory} cannot be used: ${message}`,
    retryable: true,
    hint: `see the disk that it is on, the kernel's log, and the memory of this machine. ${SURVIVES}`,
  });
}

/** Why it cannot be opened: its surroundings, or it is damaged. */
export function cannotOpen(directory: string, error: unknown): QueueError {
  if (error instanceof QueueError) return error;
  return surroundings(directory, error) ?? damaged(directory, plain(error).message, error);
}

/** PostgreSQL ended itself in mid-run. */
export function ended(directory: string, death: Death): QueueError {
  return (
    surroundings(directory, death) ??
    new QueueError({
      code: 'QUEUE_DATABASE_UNREACHABLE',
      message: `the embedded database in ${directory} ended by itself and is begun anew: ${death.message}`,
      details: { directory },
      retryable: true,
      hint: `nothing, if it comes back; otherwise start the server again, and report this with its log. ${SURVIVES}`,
      cause: death,
    })
  );
}

function noSpace(directory: string, cause: unknown): QueueError {
  const mib = Math.floor(freeBytes(directory) / 2 ** 20);
  return new QueueError({
    code: 'QUEUE_DATABASE_NO_SPACE',
    message: `the embedded database in ${directory} has no space: ${Number.isNaN(mib) ? 'none' : `${mib} MiB`} left there`,
    details: { directory, ...(!Number.isNaN(mib) && { freeMib: mib }) },
    retryable: true,
    hint: `make room for ${NEEDED_MIB} MiB or more where it is (a quota counts too): a server that runs goes on by itself, one that does not start is started again. What it was told is kept. ${SURVIVES}`,
    cause,
  });
}

/** A new database, and what the log of a running one may take. */
const NEEDED_MIB = 128;

/** For this user; NaN where that cannot be asked. */
function freeBytes(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return Number.NaN;
  }
}

/** SQLSTATE or name of a system error, and text. */
function plain(error: unknown): { readonly code: string; readonly message: string } {
  const { code, errno, message } = (error ?? {}) as { readonly code?: unknown; readonly errno?: unknown; readonly message?: unknown };
  const name = typeof code === 'string' ? code : typeof errno === 'number' && errno > 0 ? (WASI[errno] ?? `ERRNO${errno}`) : '';
  return { code: name, message: typeof message === 'string' && message !== '' ? message : name };
}
