import { parseBody, type XmlNode } from '../xml-body.ts';

/** How much of a body is compared: every value that a rebuilt state can repeat, or structure and kinds of content alone. */
export type Depth = 'values' | 'structure';

const ctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}/;

/** The clock, random names and what a host measured: not to be repeated, so only their kind is compared. */
const VOLATILE: Readonly<Record<string, (value: string) => string>> = {
  ...eachOf(['STIME', 'ETIME', 'PSTIME', 'PETIME', 'RSTIME', 'RETIME', 'ESTIME', 'EETIME', 'REGTIME', 'MODTIME', 'DATE'], (value) =>
    value === '0' ? '0' : 'a time',
  ),
  ...eachOf(['UUID', 'DEPLOY_ID', 'SOURCE', 'PATH', 'BASE_PATH'], (value) => (value === '' ? '' : 'some text')),
  ...eachOf(['FREE_MB', 'TOTAL_MB', 'USED_MB'], (value) => (/^\d+$/.test(value) ? 'a size' : value)),
  LAST_POLL: () => 'when it was polled',
  REQUEST_ID: (value) => (value === '-1' ? '-1' : 'a request'),
  DATA: () => 'of this laboratory',
  ...eachOf(['ERROR', 'SCHED_MESSAGE'], (value) => value.replace(ctime, 'a time')),
  ...eachOf(['SIZE', 'ORIGINAL_SIZE', 'DISK_SNAPSHOT_TOTAL_SIZE'], scaled),
};

/** The rebuilt disks are that much smaller than the recorded ones, those that are a multiple of it in MiB. */
export const SCALE = 256;

function scaled(value: string): string {
  const size = Number(value);
  return value !== '' && size % SCALE === 0 ? String(size / SCALE) : value;
}

function eachOf(names: readonly string[], form: (value: string) => string): Record<string, (value: string) => string> {
  return Object.fromEntries(names.map((name) => [name, form]));
}

/** One line for each element, in the order they came: its path, how its content is written, and what of its value is compared. */
export function bodyLines(xml: string, depth: Depth, leftOut: readonly string[] = []): string[] {
  return linesOf(parseBody(xml), '', depth, leftOut);
}

/** The children of a pool by ID, in order. */
export function poolLines(xml: string, depth: Depth, leftOut: readonly string[] = []): ReadonlyMap<string, string[]> {
  const objects = parseBody(xml).children.map((child): [string, string[]] => [
    child.children.find((one) => one.name === 'ID')?.content ?? '',
    linesOf(child, '', depth, leftOut),
  ]);
  return new Map(objects);
}

function linesOf(node: XmlNode, path: string, depth: Depth, leftOut: readonly string[]): string[] {
  const here = `${path}/${node.name}`;
  if (leftOut.some((end) => here.endsWith(end))) return [];
  if (node.name === 'MONITORING') return [`${here} (what a host measured)`];
  if (node.children.length > 0) return [here, ...node.children.flatMap((child) => linesOf(child, here, depth, leftOut))];
  const written = node.cdata ? 'CDATA' : node.selfClosed ? 'self-closed' : 'bare';
  if (depth === 'structure') return [`${here} ${written}`];
  return [`${here} ${written} ${VOLATILE[node.name]?.(node.content) ?? node.content}`];
}
