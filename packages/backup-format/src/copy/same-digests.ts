import type { ChunkCodecs } from '../codec/chunk-codec.ts';
import { asBuffer } from '../format/bytes.ts';

const PROBE = Buffer.from('onevault: do two repositories give equal bytes equal digests?');

/** Whether two repositories give equal bytes equal digests: the same function and, where it has a key, the same key. Asked of the functions themselves. */
export function haveSameDigests(one: Pick<ChunkCodecs, 'digest'>, other: Pick<ChunkCodecs, 'digest'>): boolean {
  return asBuffer(one.digest(PROBE)).equals(other.digest(PROBE));
}
