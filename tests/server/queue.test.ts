import { systemClock } from '@onevault/base';
import { openDatabase } from '@onevault/run-queue';
import { runQueueContract } from '@onevault/run-queue/testing';
import { afterAll, beforeAll } from 'vitest';
import { type Postgres, postgresRequirements, startPostgres } from '../support/postgres.ts';
import { describeWith } from '../support/requires.ts';

describeWith(postgresRequirements, 'on a PostgreSQL server', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server[Symbol.asyncDispose](), 30_000);

  runQueueContract('in a database of it', async () => {
    const database = await openDatabase({ kind: 'postgresql', url: await server.createDatabase('contract') }, { clock: systemClock });
    return { database, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
  });
});
