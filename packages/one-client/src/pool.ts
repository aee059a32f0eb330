import { setImmediate as nextTurn } from 'node:timers/promises';
import { splitPool } from './body.ts';
import type { CallDeps } from './caller.ts';
import { isOneError } from './errors.ts';
import { readPages } from './pages.ts';

export interface Pool<Element> {
  /** `VM_POOL` and `VM`. */
  readonly pool: string;
  readonly child: string;
  readonly parse: (xml: string) => Element;
}

/** A pool that oned pages. An element that cannot be read is reported and left out. */
export function pagedPool<Element>(
  shape: Pool<Element>,
  read: (offset: number, count: number) => Promise<string>,
  deps: CallDeps,
): AsyncGenerator<Element, void> {
  const bodies = readPages(
    async (offset, count) => splitPool(await read(offset, count), shape.pool, shape.child).map((xml) => ({ id: idOf(xml), xml })),
    (body) => body.id,
    deps.pageSize,
  );
  return parsed(bodies, shape, deps);
}

/** A pool that always comes whole. */
export async function wholePool<Element>(xml: string, shape: Pool<Element>, deps: CallDeps): Promise<readonly Element[]> {
  const elements: Element[] = [];
  const bodies = splitPool(xml, shape.pool, shape.child).map((one) => ({ xml: one }));
  for await (const element of parsed(bodies, shape, deps)) elements.push(element);
  return elements;
}

/** A body takes a fifth of a millisecond and more; a page of them would keep everything else in the process waiting. */
const BODIES_A_TURN = 16;

async function* parsed<Element>(
  bodies: AsyncIterable<{ readonly xml: string }> | Iterable<{ readonly xml: string }>,
  shape: Pool<Element>,
  deps: CallDeps,
): AsyncGenerator<Element, void> {
  let count = 0;
  for await (const { xml } of bodies) {
    if (++count % BODIES_A_TURN === 0) await nextTurn();
    const element = parseOrReport(xml, shape, deps);
    if (element) yield element.value;
  }
}

function parseOrReport<Element>(xml: string, shape: Pool<Element>, deps: CallDeps): { readonly value: Element } | undefined {
  try {
    return { value: shape.parse(xml) };
  } catch (error) {
    if (!isOneError(error)) throw error;
    deps.onUnreadable({ object: `${shape.child} ${idOf(xml)}`, error });
    return undefined;
  }
}

/** The first ID in an element of a pool is its own; read without parsing, so that an unreadable one can be named and paged past. */
function idOf(xml: string): number {
  return Number(/<ID>(\d+)<\/ID>/.exec(xml)?.[1] ?? Number.NaN);
}
