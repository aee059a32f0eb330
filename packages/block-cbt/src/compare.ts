import { DIGEST_BYTES } from '@onevault/base';

export interface Fate {
  readonly kind: 'unchanged' | 'zero' | 'changed';
  readonly index: number;
  readonly count: number;
}

/**
 * Sorts blocks into runs of equal fate by their digests, the first of which belongs to block `first`. Blocks that `before` does not reach, or all when
 * it is undefined, have no known past.
 */
export function* compareDigests(now: Uint8Array, before: Uint8Array | undefined, first: number): Generator<Fate, void> {
  const count = now.byteLength / DIGEST_BYTES;
  let start = 0;
  let kind: Fate['kind'] | undefined;
  for (let i = 0; i < count; i++) {
    const next = fateOf(now, before, i * DIGEST_BYTES);
    if (next === kind) continue;
    if (kind !== undefined) yield { kind, index: first + start, count: i - start };
    kind = next;
    start = i;
  }
  if (kind !== undefined) yield { kind, index: first + start, count: count - start };
}

function fateOf(now: Uint8Array, before: Uint8Array | undefined, at: number): Fate['kind'] {
  if (before && before.byteLength >= at + DIGEST_BYTES && sameDigest(now, before, at)) return 'unchanged';
  return isZeroDigest(now, at) ? 'zero' : 'changed';
}

function sameDigest(a: Uint8Array, b: Uint8Array, at: number): boolean {
  for (let i = at; i < at + DIGEST_BYTES; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}

function isZeroDigest(digests: Uint8Array, at: number): boolean {
  for (let i = at; i < at + DIGEST_BYTES; i++) {
    if (digests[i] !== 0) return false;
  }
  return true;
}
