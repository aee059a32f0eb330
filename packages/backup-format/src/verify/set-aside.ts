import type { CallOptions } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import { asBuffer } from '../format/bytes.ts';
import { MAX_JSON_BYTES } from '../format/limits.ts';
import type { ObjectKey, ObjectStore } from '../store/object-store.ts';
import { readWhole } from '../store/read-whole.ts';

const QUARANTINE_PREFIX = 'quarantine/';

/** Where a damaged manifest is kept for people (I48). */
export function quarantineKey(key: ObjectKey): ObjectKey {
  return `${QUARANTINE_PREFIX}${key}`;
}

/** Copies a damaged manifest byte by byte, then deletes it. Where it lies now; undefined when it cannot be read as it is, or is gone: then nothing was done. */
export async function setAside(store: ObjectStore, key: ObjectKey, options: CallOptions = {}): Promise<ObjectKey | undefined> {
  const bytes = await readAll(store, key, options);
  if (!bytes) return undefined;
  const to = await keep(store, key, bytes, options);
  await store.delete(key, options);
  return to;
}

/** One that was set aside earlier stays what it was: the next one lies beside it. */
async function keep(store: ObjectStore, key: ObjectKey, bytes: Uint8Array, options: CallOptions): Promise<ObjectKey> {
  for (let n = 1; ; n++) {
    const to = n === 1 ? quarantineKey(key) : `${quarantineKey(key)}-${n}`;
    if ((await store.put(to, bytes, { ...options, ifAbsent: true })) === 'created') return to;
    if (asBuffer(await store.get(to, options)).equals(bytes)) return to; // by one who died before the deletion
  }
}

/** Whether it could be set aside. */
export async function canSetAside(store: ObjectStore, key: ObjectKey, options: CallOptions = {}): Promise<boolean> {
  return (await readAll(store, key, options)) !== undefined;
}

async function readAll(store: ObjectStore, key: ObjectKey, options: CallOptions): Promise<Uint8Array | undefined> {
  try {
    return await readWhole(store, key, MAX_JSON_BYTES, options);
  } catch (error) {
    if (isRepositoryError(error, 'REPO_TOO_LARGE', 'REPO_OBJECT_MISSING', 'REPO_OBJECT_TRUNCATED')) return undefined;
    throw error;
  }
}
