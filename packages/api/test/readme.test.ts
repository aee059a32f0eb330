import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { look } from './readme-example.ts';

it('the example of the README is the one that runs here', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  expect(readme).toContain((await readFile(new URL('./readme-example.ts', import.meta.url), 'utf8')).trim());
  expect(look('1.2.3').open).toEqual(['signIn', 'signInOptions']);
  expect(look('1.2.3').paths).toBeGreaterThan(30);
});
