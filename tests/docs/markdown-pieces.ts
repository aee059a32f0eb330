/** A fenced block, one of the comments that page.ts knows, or a line of running text. Lines are counted from 1. */
export type Piece =
  | { readonly kind: 'fence'; readonly line: number; readonly language: string; readonly body: readonly string[] }
  | { readonly kind: 'comment'; readonly line: number; readonly about: string; readonly value: string }
  | { readonly kind: 'prose'; readonly line: number };

export type Fence = Extract<Piece, { kind: 'fence' }>;
export type Comment = Extract<Piece, { kind: 'comment' }>;

export function* markdownPieces(text: string): Generator<Piece> {
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; ) {
    const line = lines[at] ?? '';
    const fence = /^```(\S*)/.exec(line);
    const comment = /^<!-- (after|scene|here|killed|needs|executed by|file|goes on):?(?=\s|$)/.exec(line);
    const end = fence !== null ? closing(lines, at + 1, (candidate) => candidate === '```') : closing(lines, at, (candidate) => candidate.includes('-->'));
    if (fence !== null) {
      yield { kind: 'fence', line: at + 1, language: fence[1] ?? '', body: lines.slice(at + 1, end) };
      at = end + 1;
    } else if (comment !== null) {
      const value = lines.slice(at, end + 1).join('\n');
      yield {
        kind: 'comment',
        line: at + 1,
        about: comment[1] ?? '',
        value: value
          .slice(comment[0].length)
          .replace(/-->\s*$/, '')
          .trim(),
      };
      at = end + 1;
    } else {
      if (line.trim() !== '') yield { kind: 'prose', line: at + 1 };
      at++;
    }
  }
}

function closing(lines: readonly string[], from: number, closes: (line: string) => boolean): number {
  const end = lines.findIndex((line, index) => index >= from && closes(line));
  return end === -1 ? lines.length : end;
}
