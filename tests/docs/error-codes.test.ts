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

  test('has every reason why something is not backed up, and all that doctor and the look at a place complain of', () => {
    const missing = [...refusals(), ...findings(), ...ofPlaces()].filter((code) => !listed.includes(code));
    expect(missing).toEqual([]);
  });

  test('has no code that is none, and none twice', () => {
    const known = new Set([...errorCodes(), ...refusals(), ...findings(), ...ofPlaces(), 'INTERNAL']);
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
  return [...new Set([...codes, ...clientCodes()])];
}

/** The client of the API says what its user cannot reach; it is no BaseError, for browsers. */
function clientCodes(): string[] {
  const directory = 'packages/api/src/client';
  return readdirSync(join(ROOT, directory)).flatMap((file) => matches(join(directory, file), /'(API_[A-Z_]+)'/g));
}

const PLANNING = 'packages/orchestrator/src';

function refusals(): string[] {
  return matches(join(PLANNING, 'plan/plan-model.ts'), /\| '((?:REFUSE|SKIP)_[A-Z_]+)'/g);
}

/** Findings of doctor that are not well: the calls of `trouble`, and what the proxy's storage check says. */
function findings(): string[] {
  const directory = join(PLANNING, 'doctor');
  const spoken = readdirSync(join(ROOT, directory)).flatMap((file) =>
    matches(join(directory, file), /trouble\(\s*(?:'[a-z]+'|\w+),\s*(?:'[a-z]+'|[^,]+),\s*'([A-Z_]+)'/g),
  );
  const storage = matches('packages/proxy-attach/src/storage/storage-finding.ts', /\| '([A-Z_]+)'/g);
  return [...new Set([...spoken, ...storage])];
}

/** What is said of a place where a repository is to be. */
function ofPlaces(): string[] {
  return [...new Set(matches('apps/server/src/state/check-place.ts', /'(PLACE_[A-Z_]+)'/g))];
}

function matches(path: string, pattern: RegExp): string[] {
  return [...readFileSync(join(ROOT, path), 'utf8').matchAll(pattern)].map(([, code = '']) => code);
}
