import { cp, mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@onevault/base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase, Runs } from '../src/index.ts';
import { runSpec } from '../testing/run-spec.ts';

let root: string;
let whole: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'onevault-damage-'));
  whole = join(root, 'whole');
  await using database = await open(whole);
  await new Runs(database, () => 'run-1').queue(runSpec());
}, 120_000);
afterAll(() => rm(root, { recursive: true, force: true }));

function open(directory: string): Promise<Database> {
  return openDatabase({ kind: 'embedded', directory }, { clock: systemClock });
}

const GARBAGE = Buffer.alloc(8192, 0xa5);

async function eachFile(directory: string, change: (path: string) => Promise<unknown>): Promise<void> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) if (entry.isFile()) await change(join(entry.parentPath, entry.name));
}

const HARMS: readonly (readonly [string, (data: string) => Promise<unknown>])[] = [
  ['half of it was deleted, with the mark by which PGlite knows that there is one', (data) => rm(join(data, 'PG_VERSION'))],
  ['its control file is gone', (data) => rm(join(data, 'global', 'pg_control'))],
  ['its control file is garbage', (data) => writeFile(join(data, 'global', 'pg_control'), GARBAGE)],
  ['its tables are gone', (data) => rm(join(data, 'base'), { recursive: true })],
  ['its tables are garbage', (data) => eachFile(join(data, 'base'), async (path) => (await stat(path)).size > 0 && writeFile(path, GARBAGE))],
  ['its tables are cut off', (data) => eachFile(join(data, 'base'), (path) => truncate(path, 100))],
  ['its log is gone', (data) => rm(join(data, 'pg_wal'), { recursive: true })],
];

describe('an embedded database that is damaged', () => {
  it.each(HARMS)('says so and how it is made anew, and never begins empty: %s', { timeout: 60_000 }, async (_, harm) => {
    const directory = await mkdtemp(join(root, 'harmed-'));
    await cp(join(whole, 'pg18'), join(directory, 'pg18'), { recursive: true });
    await harm(join(directory, 'pg18'));
    await expect(open(directory)).rejects.toMatchObject({ code: 'QUEUE_DATABASE_DAMAGED', hint: expect.stringContaining('server rebuild') });
  });

  it('is not one that was left alone', { timeout: 60_000 }, async () => {
    await using database = await open(whole);
    expect(await new Runs(database, () => '').get('run-1')).toMatchObject({ state: 'queued' });
  });
});
