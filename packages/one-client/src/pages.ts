/** Reads `count` elements of a pool from `offset`; fewer come back only at the end of the pool. */
export type ReadPage<Element> = (offset: number, count: number) => Promise<readonly Element[]>;

/**
 * All elements of a pool that changes while it is read. oned pages by position (SQL LIMIT), so an object deleted between two pages moves the
 * rest up and one would be skipped. Pages therefore overlap by one: a page without an element already seen may follow a gap, and is read again
 * from further up. Nothing comes twice. What is created meanwhile may or may not be there.
 */
export async function* readPages<Element>(read: ReadPage<Element>, idOf: (element: Element) => number, pageSize: number): AsyncGenerator<Element, void> {
  const seen = new Set<number>();
  let offset = 0;
  for (;;) {
    const page = await read(offset, pageSize);
    const overlaps = offset === 0 || page.some((element) => seen.has(idOf(element)));
    if (!overlaps) {
      offset = Math.max(0, offset - Math.ceil(pageSize / 2));
      continue;
    }
    for (const element of page) {
      const id = idOf(element);
      if (seen.has(id)) continue;
      seen.add(id);
      yield element;
    }
    if (page.length < pageSize) return;
    offset += page.length - 1;
  }
}
