import { EntityDecoder } from '@nodable/entities';
import { XMLParser } from 'fast-xml-parser';
import { OneError } from './errors.ts';
import { type ListTree, readPlainBody } from './plain-body.ts';

/** What may stand once or many times; always a list, so that one disk reads like two. */
const LISTS: ReadonlySet<string> = new Set([
  'VM.TEMPLATE.DISK',
  'VM.TEMPLATE.NIC',
  'VM.TEMPLATE.NIC_ALIAS',
  'VM.TEMPLATE.PCI',
  'VM.HISTORY_RECORDS.HISTORY',
  'VM.SNAPSHOTS',
  'VM.SNAPSHOTS.SNAPSHOT',
  'IMAGE.VMS.ID',
  'IMAGE.SNAPSHOTS.SNAPSHOT',
  'DATASTORE.CLUSTERS.ID',
  'USER.GROUPS.ID',
]);

/** The same, for `readPlainBody`. */
export const BODY_LISTS: ListTree = treeOf(LISTS);
const LIST_NAMES: ReadonlySet<string> = new Set([...LISTS].map((path) => path.slice(path.lastIndexOf('.') + 1)));

/** OpenNebula's own template language allows `2FA="yes"` and then prints `<2FA>`, which is no XML name. No name of its own starts like this. */
const DIGIT_MARK = '_.';

/**
 * Keeps nothing from one document to the next: what could (entities of a document type) is refused before. Without numericAllowed `&#13;` would stay
 * as it is; without jPath the path of every element would be written out, though few need it.
 */
const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  parseTagValue: false,
  trimValues: false,
  entityDecoder: new EntityDecoder({ numericAllowed: true }),
  transformTagName: (name) => (name.startsWith(DIGIT_MARK) ? name.slice(DIGIT_MARK.length) : name),
  jPath: false,
  isArray: (name, path) => LIST_NAMES.has(name) && LISTS.has(path.toString()),
});

function treeOf(paths: ReadonlySet<string>): ListTree {
  interface Branch {
    isList?: boolean;
    inner?: Record<string, Branch>;
  }
  const top: Branch = {};
  for (const path of paths) {
    let at = top;
    for (const name of path.split('.')) {
      at.inner ??= {};
      at.inner[name] ??= {};
      at = at.inner[name];
    }
    at.isList = true;
  }
  return top.inner ?? {};
}

function markDigits(xml: string): string {
  return xml.replace(/<!\[CDATA\[.*?\]\]>|<(\/?)(\d\w*)>/gs, (whole: string, slash: string | undefined, name: string | undefined) =>
    name === undefined ? whole : `<${slash}${DIGIT_MARK}${name}>`,
  );
}

/** The element `root` of a body, as nested records of text. Throws ONE_RESPONSE_INVALID for anything that is not that element, well formed and whole. */
export function parseBody(xml: string, root: string): unknown {
  return readPlainBody(xml, root, BODY_LISTS) ?? parseAnyBody(xml, root);
}

/** For what is written in another way, or not well. */
export function parseAnyBody(xml: string, root: string): unknown {
  if (xml.includes('<!DOCTYPE') && xml.replace(/<!\[CDATA\[.*?\]\]>/gs, '').includes('<!DOCTYPE'))
    throw invalidBody(root, 'it declares a document type, which oned never does');
  let document: unknown;
  try {
    document = parser.parse(markDigits(xml), true); // unvalidated, a truncated document would parse silently
  } catch (error) {
    throw invalidBody(root, error instanceof Error ? error.message : String(error), error);
  }
  if (typeof document !== 'object' || document === null || !Object.hasOwn(document, root)) throw invalidBody(root, 'another element stands there');
  const entries: Readonly<Record<string, unknown>> = { ...document };
  return entries[root];
}

function invalidBody(object: string, reason: string, cause?: unknown): OneError {
  return new OneError('ONE_RESPONSE_INVALID', `the body of ${object} cannot be read: ${reason}`, {
    details: { object },
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * The elements `child` of a pool, each as the text it came as. Cut before parsing, so that one body that cannot be parsed (an attribute name that
 * is no XML name) costs nothing but itself. Throws ONE_RESPONSE_INVALID when the pool itself is cut short.
 */
export function splitPool(xml: string, pool: string, child: string): readonly string[] {
  const text = xml.trim();
  if (text === `<${pool}/>`) return [];
  const open = `<${pool}>`;
  const close = `</${pool}>`;
  if (!text.startsWith(open) || !text.endsWith(close) || text.length < open.length + close.length) throw invalidBody(pool, 'it is not whole');
  const end = text.length - close.length;
  const children: string[] = [];
  for (let at = skipSpace(text, open.length); at < end; ) {
    const next = endOfElement(text, at, child);
    if (next === undefined || next > end) throw invalidBody(pool, `it is not a list of ${child}`);
    children.push(text.slice(at, next));
    at = skipSpace(text, next);
  }
  return children;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) <= 0x20) at++;
  return at;
}

/** Behind the element `name` that starts at `from`; undefined when none starts there or it does not end. An attribute of the same name may be inside. */
function endOfElement(text: string, from: number, name: string): number | undefined {
  const marks = new RegExp(`<!\\[CDATA\\[.*?\\]\\]>|</${name}>|<${name}/?>`, 'gs');
  marks.lastIndex = from;
  let depth = 0;
  for (let mark = marks.exec(text); mark; mark = marks.exec(text)) {
    if (depth === 0 && (mark.index !== from || !mark[0].startsWith(`<${name}`))) return undefined;
    if (mark[0] === `<${name}>`) depth++;
    else if (mark[0] === `</${name}>`) depth--;
    if (depth === 0) return marks.lastIndex;
  }
  return undefined;
}
