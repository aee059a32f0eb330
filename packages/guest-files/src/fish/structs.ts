/** One struct as guestfish prints it: `name: value`, for structs whose values are numbers only. */
export type NumberStruct = ReadonlyMap<string, number>;

export function parseStruct(text: string): NumberStruct {
  const fields = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^\s*([a-z_]+\d?): (-?\d+)$/.exec(line);
    if (match?.[1] !== undefined) fields.set(match[1], Number(match[2]));
  }
  return fields;
}

/** `[0] = {…}` one after another. */
export function parseStructs(text: string): NumberStruct[] {
  return text
    .split(/^\[\d+\] = \{$/m)
    .slice(1)
    .map(parseStruct);
}

/** `key: value` lines, as guestfish prints hashes; the key ends at the first colon with a blank. */
export function parsePairs(text: string): (readonly [string, string])[] {
  return text.split('\n').flatMap((line) => {
    const at = line.indexOf(': ');
    return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 2)] as const];
  });
}
