import type { CallOptions } from '@onevault/base';
import { atPlace, isRepositoryError, type RepositoryError } from '../errors.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { readWhole } from '../store/read-whole.ts';
import { decodeSlot, KEYS_PREFIX, type KeySlot, parseSlotKey, slotKey } from './key-slot.ts';

/** A slot has less than 1 KiB. */
const MAX_SLOT_BYTES = 16 * 1024;
/** More are neither made nor tried: trying one may cost half a second. */
export const MAX_KEY_SLOTS = 32;

export type FoundSlot = { readonly kind: 'slot'; readonly slot: KeySlot } | { readonly kind: 'damaged'; readonly id: string; readonly error: RepositoryError };

/** The key slots of a repository, oldest first. */
export async function readSlots(store: ObjectStore, repositoryId: string, options: CallOptions): Promise<FoundSlot[]> {
  const found: FoundSlot[] = [];
  for await (const { key } of store.list(KEYS_PREFIX, options)) {
    const id = parseSlotKey(key);
    if (id === undefined) continue;
    try {
      const bytes = await readWhole(store, slotKey(id), MAX_SLOT_BYTES, options);
      found.push({ kind: 'slot', slot: atPlace({ key }, () => decodeSlot({ repositoryId, id }, bytes)) });
    } catch (error) {
      if (isRepositoryError(error, 'REPO_OBJECT_MISSING')) continue; // removed since it was listed
      if (!isRepositoryError(error, 'REPO_KEY_INVALID', 'REPO_UNSUPPORTED_VERSION', 'REPO_TOO_LARGE', 'REPO_OBJECT_TRUNCATED')) throw error;
      found.push({ kind: 'damaged', id, error });
    }
  }
  return found;
}
