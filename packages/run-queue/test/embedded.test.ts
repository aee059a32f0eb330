import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '@onevault/base';
import { type Kysely, sql } from 'kysely';
import { expect, it } from 'vitest';
import { type Database, openDatabase, type RunRecord } from '../src/index.ts';
import { DONE, QueueWorld, runQueueContract } from '../testing/index.ts';

async function scratch(): Promise<{ readonly directory: string } & AsyncDisposable> {
  const directory = await mkdtemp(join(tmpdir(), 'onevault-db-'));
  return { directory, [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
}

function open(directory: string): Promise<Database> {
  return openDatabase({ kind: 'embedded', directory }, { clock: systemClock });
}

runQueueContract('in the embedded database', async () => {
  const { directory, ...owned } = await scratch();
  const database = await open(directory);
  return {
    database,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      await owned[Symbol.asyncDispose]();
    },
  };
});

it('the embedded database belongs to one process; what that one had said when it was killed is there, and its run is done at once', {
  timeout: 90_000,
}, async () => {
  await using place = await scratch();
  const first = spawn(process.execPath, [fileURLToPath(new URL('dying-process.mjs', import.meta.url)), place.directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(first.stdout, 'data');
  await expect(open(place.directory)).rejects.toMatchObject({ code: 'QUEUE_DATABASE_IN_USE' });
  const exit = once(first, 'exit');
  first.kill('SIGKILL');
  await exit;
  await using database = await open(place.directory);
  const world = new QueueWorld(database);
  const cleaned: RunRecord[] = [];
  world.work(async () => DONE, {
    cleanUp: async (dead) => {
      cleaned.push(dead);
      return undefined;
    },
  });
  expect(await world.ended('run-1')).toMatchObject({ state: 'succeeded', attempt: 2, vmId: 17 });
  expect(cleaned).toMatchObject([{ worker: 'all', attempt: 1, notes: { journal: ['j-1'] } }]);
  await world.stop();
});

it('a newer version brings the database further and keeps its rows; the older one then refuses it by name instead of working on it', {
  timeout: 60_000,
}, async () => {
  await using place = await scratch();
  const older = { '0001-points': { up: async (db: Kysely<unknown>) => void (await sql`create table onevault_shop.point (id text)`.execute(db)) } };
  const newer = {
    ...older,
    '0002-size': { up: async (db: Kysely<unknown>) => void (await sql`alter table onevault_shop.point add column size integer default 7`.execute(db)) },
  };
  {
    await using database = await open(place.directory);
    await database.schema('shop', older);
    await sql`insert into onevault_shop.point (id) values ('p-1')`.execute(database.db);
    const shop = await database.schema<{ point: { id: string; size: number } }>('shop', newer);
    expect(await shop.selectFrom('point').selectAll().execute()).toEqual([{ id: 'p-1', size: 7 }]);
    await expect(database.schema('shop', older)).rejects.toMatchObject({ code: 'QUEUE_DATABASE_NEWER', message: expect.stringContaining('0002-size') });
    await sql`insert into onevault.kysely_migration (name, timestamp) values ('9999-of-tomorrow', '')`.execute(database.db);
  }
  await expect(open(place.directory)).rejects.toMatchObject({ code: 'QUEUE_DATABASE_NEWER' });
});
