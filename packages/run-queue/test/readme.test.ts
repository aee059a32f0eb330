import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { backUpOnce } from './readme-example.ts';

it('the example of the README is the one that runs here', { timeout: 60_000 }, async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  expect(readme).toContain((await readFile(new URL('./readme-example.ts', import.meta.url), 'utf8')).trim());
  const directory = await mkdtemp(join(tmpdir(), 'onevault-queue-'));
  try {
    expect(await backUpOnce(directory, () => 'run-1')).toMatchObject({ state: 'succeeded', attempt: 1, report: { bytes: 4096 } });
  } finally {
    await rm(directory, { recursive: true });
  }
});
