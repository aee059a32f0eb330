import { errorCode } from '@onevault/base';
import { RepositoryError } from '../errors.ts';
import type { ObjectKey } from './object-store.ts';

export type Doing = 'read' | 'write' | 'list';

const TRANSIENT = new Set(['EAGAIN', 'EBUSY', 'ETIMEDOUT', 'ESTALE', 'EINTR', 'EMFILE', 'ENFILE']);

/** No such file, or a part of its path that is not there. */
export function isAbsent(error: unknown): boolean {
  return errorCode(error) === 'ENOENT';
}

/** What a system error means for a repository; errors of ours pass through. */
export function storeError(doing: Doing, location: string, key: ObjectKey, cause: unknown): RepositoryError {
  if (cause instanceof RepositoryError) return cause;
  const code = errorCode(cause) ?? '';
  const details = { key, location };
  const what = `${doing} ${key === '' ? 'the repository' : key} in ${location}`;
  const why = cause instanceof Error ? cause.message : String(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new RepositoryError({
      code: 'REPO_NO_SPACE',
      message: `no space left to ${what}`,
      details,
      cause,
      hint: 'free space where the repository lies; every committed restore point is intact',
    });
  }
  if (code === 'ENOTDIR') {
    return new RepositoryError({
      code: 'REPO_PATH_INVALID',
      message: `${location} is not a directory`,
      details,
      cause,
      hint: 'name the directory that holds onevault.json',
    });
  }
  if (doing === 'write' && (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')) {
    return new RepositoryError({
      code: 'REPO_NOT_WRITABLE',
      message: `may not ${what}: ${why}`,
      details,
      cause,
      hint: 'check owner, mode and mount options of the directory',
    });
  }
  return new RepositoryError({
    code: 'REPO_STORE_FAILED',
    message: `could not ${what}: ${why}`,
    details,
    cause,
    hint: hintFor(code),
    retryable: TRANSIENT.has(code),
  });
}

function hintFor(code: string): string {
  if (code === 'EACCES' || code === 'EPERM') return 'check owner and mode of the directory and of what is in it, for the user that onevault runs as';
  if (code === 'EIO') return 'the disk or network below the repository fails: see the system log; then run verify';
  if (code === 'ENOENT' || code === 'ESTALE' || code === 'ENODEV' || code === 'ENXIO') return 'check that what holds the repository is mounted, then run again';
  return 'see the cause; what was committed before is intact';
}
