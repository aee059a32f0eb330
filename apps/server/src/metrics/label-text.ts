const MAX_CHARS = 128;

/** A name as a label's value: what a guest's owner typed must neither end a line nor fill a database. prom-client escapes quotes and backslashes. */
export function labelText(name: string): string {
  const line = name.replace(/\p{Cc}/gu, ' ');
  return line.length > MAX_CHARS ? `${line.slice(0, MAX_CHARS - 1)}…` : line;
}

const CODE = /^[A-Z][A-Z0-9_]{1,79}$/;
const MAX_CODES = 200;

/** Codes of errors come from programs of other people too: not every text becomes a series. */
export function codeLabels(): (code: unknown) => string {
  const known = new Set<string>();
  return (code) => {
    if (typeof code !== 'string' || !CODE.test(code)) return 'OTHER';
    if (!known.has(code) && known.size >= MAX_CODES) return 'OTHER';
    known.add(code);
    return code;
  };
}
