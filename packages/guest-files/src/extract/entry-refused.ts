import { errorCode } from '@onevault/base';
import { GuestFilesError } from '../errors.ts';
import type { Refusal } from '../tar/entry-path.ts';

/** One entry cannot or must not be written; the others can. Never leaves this package. */
export class EntryRefused extends Error {
  readonly why: Refusal;

  constructor(why: Refusal, options?: ErrorOptions) {
    super(why, options);
    this.why = why;
  }
}

/** Refusals of the system that are about this one name or file. Anything else (no space, a failing disk) concerns all that follow. */
const ABOUT_THE_ENTRY: Readonly<Record<string, Refusal>> = {
  EEXIST: 'exists',
  ELOOP: 'through-link',
  ENOTDIR: 'through-link',
  EISDIR: 'exists',
  ENAMETOOLONG: 'unwritable',
  EINVAL: 'unwritable',
  EILSEQ: 'unwritable',
  EACCES: 'unwritable',
  EPERM: 'unwritable',
  EFBIG: 'unwritable',
  EMLINK: 'unwritable',
  EOPNOTSUPP: 'unwritable',
};

/** Why this entry alone was not written; throws FILES_TARGET_FAILED where nothing more can be, and whatever is no error of the target. */
export function refusalOf(error: unknown, target: string): Refusal {
  if (error instanceof EntryRefused) return error.why;
  const code = errorCode(error);
  const refusal = code === undefined ? undefined : ABOUT_THE_ENTRY[code];
  if (refusal !== undefined) return refusal;
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) throw error;
  throw targetFailed(target, error);
}

export function targetFailed(target: string, cause: unknown): GuestFilesError {
  return new GuestFilesError({
    code: 'FILES_TARGET_FAILED',
    message: `files cannot be written to ${target}: ${cause instanceof Error ? cause.message : String(cause)}`,
    details: { target },
    hint: errorCode(cause) === 'ENOSPC' ? 'free space there or name another directory; what was written stays' : 'name a directory that this user may write to',
    cause,
  });
}
