import type { TableCursor } from './table-cursor.ts';

/** Cursors by the digest they stand at; of equal digests the one of the newer table comes first. */
export class CursorHeap {
  readonly #cursors: TableCursor[] = [];

  get first(): TableCursor | undefined {
    return this.#cursors[0];
  }

  push(cursor: TableCursor): void {
    const cursors = this.#cursors;
    cursors.push(cursor);
    let at = cursors.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** The first cursor has gone on to another entry. */
  firstChanged(): void {
    const { length } = this.#cursors;
    for (let at = 0; ; ) {
      let least = at;
      for (let child = 2 * at + 1; child <= 2 * at + 2 && child < length; child++) if (this.#before(child, least)) least = child;
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  removeFirst(): void {
    const last = this.#cursors.pop();
    if (!last || this.#cursors.length === 0) return;
    this.#cursors[0] = last;
    this.firstChanged();
  }

  #before(i: number, j: number): boolean {
    const a = this.#cursors[i];
    const b = this.#cursors[j];
    if (!a || !b) return false;
    if (a.prefix !== b.prefix) return a.prefix < b.prefix;
    const order = a.items.compare(b.items, b.at, b.at + 32, a.at, a.at + 32);
    return order === 0 ? a.input < b.input : order < 0;
  }

  #swap(i: number, j: number): void {
    const a = this.#cursors[i];
    const b = this.#cursors[j];
    if (!a || !b) return;
    this.#cursors[i] = b;
    this.#cursors[j] = a;
  }
}
