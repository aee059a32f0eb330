import type { GcRecord } from './gc-record.ts';

/** Packs that may be deleted: no writer counts a chunk in them as stored. */
export interface Condemned {
  has(packId: string): boolean;
}

export function condemnedBy(record: GcRecord): Condemned {
  return new Set(record.condemned.flatMap((group) => group.packs));
}
