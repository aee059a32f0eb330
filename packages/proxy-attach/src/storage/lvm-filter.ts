/** A list of accept and reject patterns as in lvm.conf (devices/filter, devices/global_filter). */
export interface LvmFilter {
  /** Whether LVM looks at a device that has these names (with /dev/). */
  accepts(names: readonly string[]): boolean;
}

interface Pattern {
  readonly accept: boolean;
  readonly regex: RegExp;
}

/** Closing delimiters, which must be the last character; any other character delimits itself. */
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/**
 * The filter made of patterns such as `a|^/dev/vda|` and `r|.*|`; undefined when one is not of that form. LVM tries the names of a device in turn: the
 * first pattern that matches a name decides about the name; one accepted name accepts the device; a device of which no name matches anything is accepted
 * (lib/filters/filter-regex.c).
 */
export function parseLvmFilter(value: unknown): LvmFilter | undefined {
  const texts = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(texts)) return undefined;
  const patterns: Pattern[] = [];
  for (const text of texts) {
    const pattern = typeof text === 'string' ? parsePattern(text) : undefined;
    if (pattern === undefined) return undefined;
    patterns.push(pattern);
  }
  return {
    accepts(names) {
      const verdicts = names.map((name) => patterns.find(({ regex }) => regex.test(name))?.accept);
      return verdicts.includes(true) || !verdicts.includes(false);
    },
  };
}

/** LVM's expressions (libdm regex) have the operators that JavaScript writes the same way: . * + ? | () [] ^ $ and the escape. */
function parsePattern(text: string): Pattern | undefined {
  const kind = text[0];
  const opening = text[1];
  if ((kind !== 'a' && kind !== 'r') || opening === undefined) return undefined;
  if (text.length < 3 || text.at(-1) !== (CLOSING[opening] ?? opening)) return undefined;
  try {
    return { accept: kind === 'a', regex: new RegExp(text.slice(2, -1)) };
  } catch {
    return undefined;
  }
}
