/** So many pairs of lines are compared at most; beyond that a text is shown as replaced whole. */
const MAX_PAIRS = 4_000_000;

/** What became of the lines of a text: ` ` stays, `-` goes, `+` comes. Empty when nothing did. */
export function lineDiff(before: string, after: string): string {
  if (before === after) return '';
  const old = linesOf(before);
  const now = linesOf(after);
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head++;
  let tail = 0;
  while (tail < old.length - head && tail < now.length - head && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail++;
  const changed = between(old.slice(head, old.length - tail), now.slice(head, now.length - tail));
  const same = (lines: readonly string[]): string[] => lines.map((line) => ` ${line}`);
  return [...same(old.slice(0, head)), ...changed, ...same(old.slice(old.length - tail))].map((line) => `${line}\n`).join('');
}

function linesOf(text: string): string[] {
  if (text === '') return [];
  return (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
}

/** The longest common subsequence, by the table everybody knows. */
function between(old: readonly string[], now: readonly string[]): string[] {
  if (old.length * now.length > MAX_PAIRS) return [...old.map((line) => `-${line}`), ...now.map((line) => `+${line}`)];
  const longest = commonLengths(old, now);
  const lines: string[] = [];
  let i = 0;
  let j = 0;
  while (i < old.length && j < now.length) {
    if (old[i] === now[j]) {
      lines.push(` ${old[i++]}`);
      j++;
    } else if (longest(i + 1, j) >= longest(i, j + 1)) lines.push(`-${old[i++]}`);
    else lines.push(`+${now[j++]}`);
  }
  return [...lines, ...old.slice(i).map((line) => `-${line}`), ...now.slice(j).map((line) => `+${line}`)];
}

/** How many lines two tails have in common, in order. */
function commonLengths(old: readonly string[], now: readonly string[]): (i: number, j: number) => number {
  const width = now.length + 1;
  const table = new Uint32Array((old.length + 1) * width);
  const at = (i: number, j: number): number => table[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = now.length - 1; j >= 0; j--) table[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  return at;
}
