import fs, { readlinkSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@onevault/base';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Database, openDatabase } from '../src/index.ts';
import { quickClock } from '../testing/index.ts';

const hastyClock: Clock = { ...quickClock, monotonicMs: () => quickClock.monotonicMs() * 100 };

let directory: string;
let database: Database;
const { fdatasyncSync } = fs;
let synced: string[] = [];

beforeAll(async () => {
  fs.fdatasyncSync = (fd) => {
    synced.push(readlinkSync(`/proc/self/fd/${fd}`).slice(`${directory}/pg18/`.length));
    fdatasyncSync(fd);
  };
  syncBuiltinESMExports();
  directory = await mkdtemp(join(tmpdir(), 'onevault-durable-'));
  database = await openDatabase({ kind: 'embedded', directory }, { clock: hastyClock });
  await sql`create table onevault.shelf (thing text)`.execute(database.db);
}, 60_000);
afterAll(async () => {
  fs.fdatasyncSync = fdatasyncSync;
  syncBuiltinESMExports();
  await database[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

it('what the embedded database acknowledges is on the disk, its tables before the log that they could be made from is given up', async () => {
  synced = [];
  await sql`insert into onevault.shelf values ('kept')`.execute(database.db);
  expect(synced).toEqual([expect.stringMatching(/^pg_wal\/[0-9A-F]{24}$/)]);
  synced = [];
  await sql`select * from onevault.shelf`.execute(database.db);
  expect(synced).toEqual([]);
  await sql`checkpoint`.execute(database.db);
  const { rows } = await sql<{ path: string }>`select pg_relation_filepath('onevault.shelf') as path`.execute(database.db);
  expect(synced).toContain(rows[0]?.path);
  expect(synced.lastIndexOf('global/pg_control')).toBeGreaterThan(synced.indexOf(rows[0]?.path ?? ''));
});

it('the log of the embedded database does not grow with the time that it is open', { timeout: 60_000 }, async () => {
  for (let mib = 0; mib < 144; mib++) await sql`select pg_logical_emit_message(true, 'onevault', repeat('x', 1048576))`.execute(database.db);
  const files = (await readdir(join(directory, 'pg18/pg_wal'))).filter((name) => /^[0-9A-F]{24}$/.test(name));
  expect(files.length).toBeLessThanOrEqual(8);
});
