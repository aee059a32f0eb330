/** What one VM argument means, the way `one*` reads it: an id, a range `1..5`, a list `1,2,web`, or a name. */
export type VmWanted =
  | { readonly kind: 'id'; readonly id: number }
  | { readonly kind: 'range'; readonly first: number; readonly last: number }
  | { readonly kind: 'name'; readonly name: string };

/** `6` is always an id, as in `one*`: a VM whose name is a number is reached by its id. */
export function parseVmArgument(argument: string): VmWanted[] {
  return argument
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(parsePart);
}

function parsePart(part: string): VmWanted {
  const text = part.trim();
  if (/^\d+$/.test(text)) return { kind: 'id', id: Number(text) };
  const range = /^(\d+)\.\.(\d+)$/.exec(text);
  if (range === null) return { kind: 'name', name: text };
  const [first, last] = [Number(range[1]), Number(range[2])];
  return { kind: 'range', first: Math.min(first, last), last: Math.max(first, last) };
}
