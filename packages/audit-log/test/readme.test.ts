import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { note } from './readme-example.ts';

it('the example of the README is the one that runs here', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  expect(readme).toContain((await readFile(new URL('./readme-example.ts', import.meta.url), 'utf8')).trim());
  const directory = await mkdtemp(join(tmpdir(), 'onevault-audit-'));
  try {
    expect(await note(directory)).toBe(true);
  } finally {
    await rm(directory, { recursive: true });
  }
});
