import type { CallOptions } from '@onevault/base';
import { RepositoryError } from '../errors.ts';
import { objectMissing } from './object-errors.ts';
import type { ObjectKey, ObjectStore } from './object-store.ts';

/** A whole object, refused before it is read if it is larger than the format allows (I15). Throws REPO_OBJECT_MISSING, REPO_TOO_LARGE. */
export async function readWhole(store: ObjectStore, key: ObjectKey, maxBytes: number, options: CallOptions = {}): Promise<Uint8Array> {
  const found = await store.stat(key, options);
  if (!found) throw objectMissing(key);
  if (found.sizeBytes > maxBytes)
    throw new RepositoryError({ code: 'REPO_TOO_LARGE', message: `${key} has ${found.sizeBytes} bytes, more than the format allows`, details: { key } });
  return store.get(key, { ...options, range: { offset: 0, length: found.sizeBytes } });
}
