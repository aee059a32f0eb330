/** Leaf kinds: what a reader of the XML can see besides the value. */
interface Node {
  readonly name: string;
  readonly children: Node[];
  content: string;
  cdata: boolean;
  selfClosed: boolean;
}

/** The elements of a body in order, each with its kind of content; runs of equally shaped siblings count once. Values do not matter. */
export function shapeOf(xml: string): string[] {
  return lines(parse(xml), '');
}

/** The first element of that path (`HOST_POOL/HOST`), as XML text is not needed: its shape. */
export function shapesOf(xml: string, childName: string): ReadonlyMap<string, string[]> {
  const shapes = new Map<string, string[]>();
  for (const child of parse(xml).children) {
    if (child.name !== childName) continue;
    const name = child.children.find((one) => one.name === 'NAME')?.content ?? '';
    shapes.set(name, lines(child, ''));
  }
  return shapes;
}

/** Leaves out the subtree of an element whose content is another matter. */
export function without(shape: readonly string[], ...elements: readonly string[]): string[] {
  return shape.filter((line) => !elements.some((element) => line.includes(`/${element}/`) || line.includes(`/${element} `) || line.endsWith(`/${element}`)));
}

function lines(node: Node, path: string): string[] {
  const here = `${path}/${node.name}`;
  if (node.children.length === 0) return [`${here} ${kindOf(node)}`];
  const out = [here];
  let last = '';
  for (const child of node.children) {
    const shape = lines(child, here);
    const key = shape.join('\n');
    if (key !== last) out.push(...shape);
    last = key;
  }
  return out;
}

function kindOf(node: Node): string {
  if (node.cdata) return 'cdata';
  if (node.selfClosed) return 'self-closed';
  if (node.content === '') return 'empty';
  return /^-?\d+$/.test(node.content) ? 'number' : 'text';
}

const TOKEN = /<!\[CDATA\[([\s\S]*?)\]\]>|<([A-Z0-9_]+)\/>|<([A-Z0-9_]+)>|<\/([A-Z0-9_]+)>|([^<]+)/g;

function parse(xml: string): Node {
  const root = leaf('', false);
  const open = [root];
  for (const [, cdata, closed, opened, ended, text] of xml.matchAll(TOKEN)) {
    const top = open.at(-1);
    if (!top) throw new Error('an end tag too many');
    if (opened !== undefined) open.push(append(top, leaf(opened, false)));
    else if (closed !== undefined) append(top, leaf(closed, true));
    else if (ended !== undefined) end(open, ended);
    else Object.assign(top, { cdata: cdata !== undefined, content: top.content + (cdata ?? text ?? '') });
  }
  const [body] = root.children;
  if (!body || open.length !== 1) throw new Error('not one complete element');
  return body;
}

const leaf = (name: string, selfClosed: boolean): Node => ({ name, children: [], content: '', cdata: false, selfClosed });

function append(parent: Node, child: Node): Node {
  parent.children.push(child);
  return child;
}

function end(open: Node[], name: string): void {
  if (open.pop()?.name !== name) throw new Error(`</${name}> ends another element`);
}
