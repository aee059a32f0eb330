import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRepository, openStore, parseStoreUrl } from '@onevault/backup-format';
import { Secret, silentLogger } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import { expect, it } from 'vitest';
import { pointsIn } from './readme-example.ts';

it('the example of the README is the one that runs here', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  expect(readme).toContain((await readFile(new URL('./readme-example.ts', import.meta.url), 'utf8')).trim());
  const directory = await mkdtemp(join(tmpdir(), 'onevault-composition-'));
  try {
    const place = join(directory, 'repository');
    const deps = { clock: new FakeClock({ auto: true }), logger: silentLogger, randomBytes };
    const secret = { kind: 'passphrase', passphrase: new Secret('for one of them') } as const;
    await (await createRepository(openStore(parseStoreUrl(place), { env: {}, ...deps }), { encryption: { secret } }, deps))[Symbol.asyncDispose]();
    await writeFile(join(directory, 'passphrase'), 'for one of them\n');
    expect(await pointsIn(place, join(directory, 'passphrase'), { HOME: directory })).toBe(0);
    await writeFile(join(directory, 'passphrase'), 'for another\n');
    await expect(pointsIn(place, join(directory, 'passphrase'), { HOME: directory })).rejects.toMatchObject({ code: 'REPO_KEY_REJECTED' });
  } finally {
    await rm(directory, { recursive: true });
  }
});
