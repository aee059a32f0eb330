import { RepositoryError } from '../errors.ts';
import type { ObjectKey } from './object-store.ts';

export function objectMissing(key: ObjectKey, cause?: unknown): RepositoryError {
  return new RepositoryError({ code: 'REPO_OBJECT_MISSING', message: `${key} is not in the repository`, details: { key }, cause });
}

export function objectExists(key: ObjectKey, cause?: unknown): RepositoryError {
  return new RepositoryError({ code: 'REPO_OBJECT_EXISTS', message: `${key} is already in the repository`, details: { key }, cause });
}

export function objectTooShort(key: ObjectKey, offset: number, length: number, sizeBytes: number): RepositoryError {
  return new RepositoryError({
    code: 'REPO_OBJECT_TRUNCATED',
    message: `${key} ends at ${sizeBytes} before bytes ${offset} to ${offset + length} could be read`,
    details: { key, offset, length },
    hint: 'the object is truncated; run verify to learn what it touches',
  });
}
