import { CONFIG_KEY, parsePointKey } from '../format/ids.ts';
import type { Damage, RestorePoint } from '../repository-api.ts';

interface Affected {
  readonly pointId: string;
  readonly group: string;
  readonly diskKey?: string;
  readonly metadata?: string;
  readonly ranges?: { offset: number; length: number }[];
}

export type Touched = { readonly diskKey: string; readonly offset: number; readonly length: number } | { readonly metadata: string };

/** Gathers what is damaged and whom it touches, one record for each object of the store. Memory grows with damage only. */
export class DamageLog {
  readonly #records = new Map<string, { readonly error: Error; readonly affects: Map<string, Affected> }>();
  #total = 0;

  /** Damaged objects since the beginning. */
  get total(): number {
    return this.#total;
  }

  /** Keys of the objects recorded and not yet taken. */
  keys(): string[] {
    return [...this.#records.keys()];
  }

  /** The first error of an object stands for it. */
  note(key: string, error: Error): void {
    if (this.#records.has(key)) return;
    this.#records.set(key, { error, affects: new Map() });
    this.#total += 1;
  }

  touch(key: string, error: Error, point: RestorePoint, touched: Touched): void {
    this.note(key, error);
    const affects = this.#records.get(key)?.affects;
    const { id: pointId, group } = point;
    if ('metadata' in touched) {
      affects?.set(`${pointId} metadata ${touched.metadata}`, { pointId, group, metadata: touched.metadata });
      return;
    }
    const { diskKey, offset, length } = touched;
    const place = `${pointId} disk ${diskKey}`;
    const known = affects?.get(place)?.ranges;
    const last = known?.at(-1);
    if (!known) affects?.set(place, { pointId, group, diskKey, ranges: [{ offset, length }] });
    else if (last && last.offset + last.length === offset) last.length += length;
    else known.push({ offset, length });
  }

  /** Hands out and forgets the records that nothing can be added to any more. */
  *take(isComplete: (key: string) => boolean): Generator<Damage, void> {
    for (const [key, { error, affects }] of this.#records) {
      if (!isComplete(key)) continue;
      this.#records.delete(key);
      const touched = [...affects.values(), ...lostPoint(key)];
      yield { error, key, affects: touched, harmless: touched.length === 0 && isExpendable(key) };
    }
  }
}

/** A damaged manifest is its restore point lost. */
function lostPoint(key: string): Affected[] {
  const place = parsePointKey(key);
  return place ? [{ pointId: place.id, group: place.group }] : [];
}

/** Without the config or a key slot somebody may be locked out; everything else that no restore point refers to is made anew, or is debris. */
function isExpendable(key: string): boolean {
  return key !== CONFIG_KEY && !key.startsWith('keys/');
}
