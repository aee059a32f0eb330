import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ASSETS = fileURLToPath(new URL('../dist/assets/', import.meta.url));

function builtText(ending: string): string {
  return readdirSync(ASSETS)
    .filter((name) => name.endsWith(ending))
    .map((name) => readFileSync(`${ASSETS}${name}`, 'utf8'))
    .join('\n');
}

const classesIn = (text: string): ReadonlySet<string> => new Set(text.match(/\bm_[0-9a-f]{6,8}\b/g));

it('every class of Mantine that the built pages name has its rules in the built style sheets', () => {
  const named = classesIn(builtText('.js'));
  const existing = classesIn(readFileSync(createRequire(import.meta.url).resolve('@mantine/core/styles.css'), 'utf8'));
  const built = classesIn(builtText('.css'));
  expect(named.size).toBeGreaterThan(50);
  expect([...named].filter((name) => existing.has(name) && !built.has(name))).toEqual([]);
});
