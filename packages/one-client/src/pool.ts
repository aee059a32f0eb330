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

async function* parsed<Element>(bodies: AsyncIterable<{ readonly xml: string }>, shape: Pool<Element>, deps: CallDeps): AsyncGenerator<Element, void> {
  for await (const { xml } of bodies) {
    const element = parseOrReport(xml, shape, deps);
    if (element) yield element.value;
  }
}

/** A pool that always comes whole. */
export function wholePool<Element>(xml: string, shape: Pool<Element>, deps: CallDeps): readonly Element[] {
  return splitPool(xml, shape.pool, shape.child).flatMap((one) => {
    const element = parseOrReport(one, shape, deps);
    return element ? [element.value] : [];
  });
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
