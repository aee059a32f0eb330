/** An element as a reader of the text sees it. */
export interface XmlNode {
  readonly name: string;
  readonly children: XmlNode[];
  content: string;
  cdata: boolean;
  selfClosed: boolean;
}

const TOKEN = /<!\[CDATA\[([\s\S]*?)\]\]>|<([A-Z0-9_]+)\/>|<([A-Z0-9_]+)>|<\/([A-Z0-9_]+)>|([^<]+)/g;

/** The one element that a body is. Throws on anything else. */
export function parseBody(xml: string): XmlNode {
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

const leaf = (name: string, selfClosed: boolean): XmlNode => ({ name, children: [], content: '', cdata: false, selfClosed });

function append(parent: XmlNode, child: XmlNode): XmlNode {
  parent.children.push(child);
  return child;
}

function end(open: XmlNode[], name: string): void {
  if (open.pop()?.name !== name) throw new Error(`</${name}> ends another element`);
}
