import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { nextRunAfter } from './readme-example.ts';

it('the example of the README is the one that runs here', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  expect(readme).toContain((await readFile(new URL('./readme-example.ts', import.meta.url), 'utf8')).trim());
  expect(readme.split('\n').length).toBeLessThanOrEqual(60);
  expect(new Date(nextRunAfter(Date.parse('2026-11-27T22:00Z')) ?? 0).toISOString()).toBe('2026-11-29T11:00:00.000Z');
});
