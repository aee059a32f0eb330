import { z } from 'zod';
import { element, int, optionalInt } from './fields.ts';
import type { Owned } from './model.ts';

const bit = z.preprocess((value) => value === '1', z.boolean());

/** PERMISSIONS and LOCK, the same in every object that belongs to somebody (PoolObjectSQL::perms_to_xml, lock_db_to_xml). */
export const ownership = {
  UID: int,
  GID: int,
  PERMISSIONS: element({ OWNER_U: bit, OWNER_M: bit, OWNER_A: bit, GROUP_U: bit, GROUP_M: bit, GROUP_A: bit, OTHER_U: bit, OTHER_M: bit, OTHER_A: bit }),
  LOCK: element({ LOCKED: optionalInt, OWNER: optionalInt, TIME: optionalInt }),
};

type RawOwned = z.output<z.ZodObject<typeof ownership>>;

export function toOwned({ UID, GID, PERMISSIONS: bits, LOCK }: RawOwned): Owned {
  return {
    uid: UID,
    gid: GID,
    permissions: {
      owner: { use: bits.OWNER_U, manage: bits.OWNER_M, admin: bits.OWNER_A },
      group: { use: bits.GROUP_U, manage: bits.GROUP_M, admin: bits.GROUP_A },
      other: { use: bits.OTHER_U, manage: bits.OTHER_M, admin: bits.OTHER_A },
    },
    lock: LOCK.LOCKED === undefined ? undefined : { level: LOCK.LOCKED, ownerId: LOCK.OWNER ?? -1, since: LOCK.TIME ?? 0 },
  };
}
