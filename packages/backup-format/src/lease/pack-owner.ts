import { fromHex } from '../format/bytes.ts';
import type { RandomBytes } from '../format/ids.ts';

const PACK_ID_BYTES = 16;
const OWNER_BYTES = 8;

/**
 * Random numbers for the packs of one lease: an id of a pack ends in the first 8 bytes of the id of the lease, so that gc can tell a run's packs from
 * garbage as long as the run is alive. The first 8 bytes are random for each pack.
 */
export function ownedPackIds(leaseId: string, randomBytes: RandomBytes): RandomBytes {
  const owner = fromHex(leaseId).subarray(0, OWNER_BYTES);
  return (length) => (length === PACK_ID_BYTES ? Buffer.concat([randomBytes(PACK_ID_BYTES - OWNER_BYTES), owner]) : randomBytes(length));
}

/** The part of a pack's id that tells the lease it was written under. */
export function packOwner(packId: string): string {
  return packId.slice(2 * (PACK_ID_BYTES - OWNER_BYTES));
}

export function leaseOwner(leaseId: string): string {
  return leaseId.slice(0, 2 * OWNER_BYTES);
}
