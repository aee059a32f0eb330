import type { CallOptions } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import { packKey } from '../format/ids.ts';
import type { HeldLease } from '../lease/held-lease.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { LockedPacks } from './gc-api.ts';
import type { PackTable } from './pack-table.ts';

/** Keys of locked packs that a report names. */
const MAX_NAMED = 20;

export const NO_LOCKED: LockedPacks = { packs: 0, bytes: 0, keys: [] };

/**
 * Deletes packs that nothing names any more, one by one, each right after the lease was found unbroken. One that the store keeps under a lock of its own is
 * named and left for a later run; the others go all the same.
 */
export async function deletePacks(
  store: ObjectStore,
  lease: HeldLease,
  { packs, doomed }: { readonly packs: PackTable; readonly doomed: readonly number[] },
  onPack: () => void,
  call: CallOptions,
): Promise<{ readonly deleted: readonly number[]; readonly locked: LockedPacks }> {
  const deleted: number[] = [];
  let locked = NO_LOCKED;
  for (const pack of doomed) {
    await lease.prove(call);
    const key = packKey(packs.id(pack));
    try {
      await store.delete(key, call);
      deleted.push(pack);
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_OBJECT_LOCKED')) throw error;
      locked = withLocked(locked, { key, bytes: packs.sizeOf(pack), until: error.details.until });
    }
    onPack();
  }
  return { deleted, locked };
}

function withLocked(locked: LockedPacks, one: { readonly key: string; readonly bytes: number; readonly until: string | undefined }): LockedPacks {
  const [until] = [locked.until, one.until].filter((time) => time !== undefined).sort();
  return {
    packs: locked.packs + 1,
    bytes: locked.bytes + one.bytes,
    keys: locked.keys.length < MAX_NAMED ? [...locked.keys, one.key] : locked.keys,
    ...(until !== undefined && { until }),
  };
}
