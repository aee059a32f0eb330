import { BaseError, errorCode } from '@onevault/base';
import type { ByteRange } from './source.ts';

export type ExportErrorCode =
  | 'EXPORT_RANGE_INVALID'
  | 'EXPORT_FORMAT_INVALID'
  | 'EXPORT_TARGET_EXISTS'
  | 'EXPORT_TARGET_KIND'
  | 'EXPORT_TARGET_UNUSABLE'
  | 'EXPORT_DEVICE_SMALL'
  | 'EXPORT_NO_SPACE'
  | 'EXPORT_WRITE_FAILED'
  | 'EXPORT_READ_FAILED'
  | 'EXPORT_PIPE_CLOSED'
  | 'EXPORT_MISMATCH';

export interface ExportErrorDetails {
  /** What was written, where it has a name. */
  readonly path?: string;
  readonly offset?: number;
  readonly length?: number;
  /** The system's own code (`ENOSPC`), where it gave one. */
  readonly errno?: string;
}

/** Everything that can go wrong where an export goes to. What cannot be read from the source is the source's own error, passed through. */
export class ExportError extends BaseError<ExportErrorCode, ExportErrorDetails> {}

/** Codes that mean: there is no room. EFBIG is a file system (FAT) or a limit that knows no larger files. */
const NO_SPACE = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export function writeFailure(path: string, range: ByteRange, cause: unknown): ExportError {
  const errno = errorCode(cause);
  const full = errno !== undefined && NO_SPACE.has(errno);
  return new ExportError({
    code: full ? 'EXPORT_NO_SPACE' : 'EXPORT_WRITE_FAILED',
    message: `write bytes ${range.offset} to ${range.offset + range.length} of ${path}: ${reasonOf(cause)}`,
    details: { path, ...range, ...(errno !== undefined && { errno }) },
    hint: full ? 'nothing of it was kept: free some space, export elsewhere, or as qcow2 with compression' : 'see the system log of this machine',
    cause,
  });
}

export function readFailure(path: string, cause: unknown): ExportError {
  const errno = errorCode(cause);
  return new ExportError({
    code: 'EXPORT_READ_FAILED',
    message: `read ${path} back: ${reasonOf(cause)}`,
    details: { path, ...(errno !== undefined && { errno }) },
    hint: 'the storage under it failed: see the system log of this machine',
    cause,
  });
}

export function unusable(path: string, cause: unknown): ExportError {
  const errno = errorCode(cause);
  return new ExportError({
    code: errno !== undefined && NO_SPACE.has(errno) ? 'EXPORT_NO_SPACE' : 'EXPORT_TARGET_UNUSABLE',
    message: `make ${path}: ${reasonOf(cause)}`,
    details: { path, ...(errno !== undefined && { errno }) },
    hint: errno === 'ENOENT' ? 'its directory does not exist: make it first' : 'name a place where you may write',
    cause,
  });
}

export function exists(path: string, hint = 'name another, or have it replaced (--force)'): ExportError {
  return new ExportError({
    code: 'EXPORT_TARGET_EXISTS',
    message: `${path} exists already; nothing was written`,
    details: { path },
    hint,
  });
}

export function mismatch(path: string, range: ByteRange): ExportError {
  return new ExportError({
    code: 'EXPORT_MISMATCH',
    message: `${path} does not read back what was written: bytes ${range.offset} to ${range.offset + range.length} differ`,
    details: { path, ...range },
    hint: 'the storage under it loses or changes what is written: do not rely on it',
  });
}

export function invalidFormat(message: string, hint: string): ExportError {
  return new ExportError({ code: 'EXPORT_FORMAT_INVALID', message, hint });
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
