import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Whoever has a code at night finds it on one page, once, and nothing there that no program says any more. */
describe('docs/operate/troubleshooting.md', () => {
  const page = readFileSync(join(ROOT, 'docs/operate/troubleshooting.md'), 'utf8');
  const listed = [...page.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code));

  test('has every code of every error class', () => {
    const missing = errorCodes().filter((code) => !listed.includes(code));
    expect(missing).toEqual([]);
  });

  test('has no code that is none, and none twice', () => {
    const known = new Set([...errorCodes(), 'INTERNAL']);
    expect(listed.filter((code) => !known.has(code))).toEqual([]);
    expect(listed.filter((code, index) => listed.indexOf(code) !== index)).toEqual([]);
  });

  test('says for each what it means and what to do', () => {
    const rows = page.split('\n').filter((line) => line.startsWith('| `'));
    expect(rows.filter((row) => row.split(/(?<!\\)\|/).filter((cell) => cell.trim().length > 2).length !== 3)).toEqual([]);
  });
});

/** Each package and program has its codes in one file: the unions of errors.ts. */
function errorCodes(): string[] {
  const codes = ['packages', 'apps'].flatMap((group) =>
    readdirSync(join(ROOT, group)).flatMap((name) => {
      const src = join(ROOT, group, name, 'src');
      const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) => /(^|\/)errors\.ts$/.test(path));
      return files.flatMap((file) => [...readFileSync(join(src, file), 'utf8').matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g)].map(([, code = '']) => code));
    }),
  );
  return [...new Set(codes)];
}
