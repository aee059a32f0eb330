import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeDataDirectory, preparedPath } from '../src/database/data-directory.ts';

let root: string;
let prepared: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'onevault-data-'));
  prepared = join(root, 'prepared');
  await makeDataDirectory(prepared);
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function sizes(directory: string): Promise<Record<string, number>> {
  const entries = (await readdir(directory, { recursive: true, withFileTypes: true })).map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    return [relative(directory, path), entry.isFile() ? (await stat(path)).size : -1] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function catalog(directory: string): Promise<unknown> {
  await using pglite = await PGlite.create(directory);
  const settings = await pglite.query('select name, setting, source from pg_settings order by name');
  const databases = await pglite.query('select datname, encoding, datcollate, datctype, datlocprovider, datistemplate from pg_database order by 1');
  const relations = await pglite.query('select count(*), sum(relpages) from pg_class');
  return [settings.rows, databases.rows, relations.rows];
}

describe('the data directory of a new database', () => {
  it('is its owner’s alone', async () => {
    const modes = new Set<number>();
    for (const path of ['', 'PG_VERSION', 'base', 'base/5', 'global/pg_control', 'pg_wal']) modes.add((await stat(join(prepared, path))).mode & 0o077);
    expect([...modes]).toEqual([0]);
  });

  it('is there whole or not at all when its maker is killed, and the next one makes it', { timeout: 60_000 }, async () => {
    const place = join(root, 'killed');
    const wholeSizes = await sizes(prepared);
    for (const files of [1, 300, 900]) {
      await rm(place, { recursive: true, force: true });
      await mkdir(place);
      const maker = spawn(process.execPath, [fileURLToPath(new URL('making-process.mjs', import.meta.url)), place, String(files)], {
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      const [, signal] = await once(maker, 'exit');
      expect(signal).toBe('SIGKILL');
      expect((await readdir(place)).sort()).toEqual(['lock.sock', 'pg18.unfinished']);
    }
    await makeDataDirectory(join(place, 'pg18'));
    expect((await readdir(place)).sort()).toEqual(['lock.sock', 'pg18']);
    expect(await sizes(join(place, 'pg18'))).toEqual(wholeSizes);
  });

  it('comes from what the build prepared, and is the one that PGlite makes itself where that is not whole', {
    timeout: 60_000,
  }, async () => {
    const own = join(root, 'own');
    const packed = await readFile(await preparedPath());
    const half = join(root, 'half.br');
    await writeFile(half, packed.subarray(0, packed.length / 2));
    await makeDataDirectory(own, { preparedPath: half });
    expect(await sizes(prepared)).toEqual(await sizes(own));
    expect(await catalog(prepared)).toEqual(await catalog(own));
  });
});
