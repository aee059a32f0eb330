import { Scope, Secret, systemClock } from '@onevault/base';
import { type Database, openDatabase, type RunOutcome } from '@onevault/run-queue';
import { DONE, QueueWorld, quickClock, runSpec, StoppableClock, untilStopped } from '@onevault/run-queue/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { cutLine } from '../support/cut-line.ts';
import { type Postgres, postgresRequirements, startPostgres } from '../support/postgres.ts';
import { describeWith } from '../support/requires.ts';

/** Short, so that a death is seen in seconds; all that is judged by it is scaled with it. */
const HEARTBEAT_SECONDS = 3;

describeWith(postgresRequirements, 'when the database is out of reach', () => {
  let server: Postgres;
  let databases = 0;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server[Symbol.asyncDispose](), 30_000);

  async function open(scope: Scope, url: Secret): Promise<Database> {
    return scope.use(await openDatabase({ kind: 'postgresql', url }, { clock: systemClock, heartbeatSeconds: HEARTBEAT_SECONDS }));
  }
  function newDatabase(): Promise<Secret> {
    return server.createDatabase(`outage_${++databases}`);
  }

  it.each([
    ['QUEUE_DATABASE_FORBIDDEN', 'nobody of that name', [], 'nobody'],
    ['QUEUE_DATABASE_FORBIDDEN', 'somebody who may not make tables', ['create role guest login'], 'guest'],
    ['QUEUE_DATABASE_BUSY', 'no connection left', ['create role crowd login connection limit 0'], 'crowd'],
    [
      'QUEUE_DATABASE_READ_ONLY',
      'as on a standby',
      ['create role reader login superuser', 'alter role reader set default_transaction_read_only = on'],
      'reader',
    ],
    ['QUEUE_DATABASE_MISSING', 'no such database', ['drop database DATABASE'], 'onevault'],
  ])('is %s, with what to do: %s', async (code, _, statements, user) => {
    const url = await newDatabase();
    for (const statement of statements) await server.sql('postgres', statement.replace('DATABASE', `outage_${databases}`));
    const asUser = new Secret(url.reveal().replace('//onevault@', `//${user}@`));
    await expect(openDatabase({ kind: 'postgresql', url: asUser }, { clock: systemClock })).rejects.toMatchObject({ code, hint: expect.any(String) });
  });

  it('runs go on over a crash of PostgreSQL, and none is lost or done twice', { timeout: 60_000 }, async () => {
    await using scope = new Scope();
    const url = await newDatabase();
    const world = new QueueWorld(await open(scope, url), systemClock);
    scope.defer(() => world.stop());
    const begun = new Map<string, number>();
    const finish: (() => void)[] = [];
    const execute = async ({ run }: { readonly run: { readonly id: string } }): Promise<RunOutcome> => {
      begun.set(run.id, (begun.get(run.id) ?? 0) + 1);
      if (begun.size <= 4) await new Promise<void>((resolve) => finish.push(resolve));
      return DONE;
    };
    const ids = await Promise.all(Array.from({ length: 12 }, async () => (await world.runs.queue(runSpec({ vmId: world.nextVm() }))).run.id));
    for (let i = 0; i < 2; i++) world.work(execute, { database: await open(scope, url) });
    await expect.poll(() => finish.length, { timeout: 10_000 }).toBe(4);
    await server.stop('immediate');
    for (const done of finish) done(); // while nobody can be told
    await expect(world.runs.queue(runSpec({ vmId: world.nextVm() }))).rejects.toMatchObject({ code: 'QUEUE_DATABASE_UNREACHABLE', retryable: true });
    await server.start();
    for (const id of ids) expect(await world.ended(id)).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect([...begun.values()]).toEqual(ids.map(() => 1));
  });

  it('a worker that is cut off ends its run in order before another one begins it, and what it says later counts for nothing', {
    timeout: 60_000,
  }, async () => {
    await using scope = new Scope();
    const url = await newDatabase();
    const line = scope.use(await cutLine(server.port));
    const world = new QueueWorld(await open(scope, url), systemClock);
    scope.defer(() => world.stop());
    const order: string[] = [];
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm() }));
    world.work(
      async (context) => {
        order.push('begun');
        await untilStopped(context.signal).catch(() => order.push('ended in order'));
        return { state: 'succeeded', report: { by: 'lost' } };
      },
      { name: 'lost', concurrency: 1, database: await open(scope, new Secret(url.reveal().replace(`:${server.port}/`, `:${line.port}/`))) },
    );
    await expect.poll(() => order, { timeout: 10_000 }).toEqual(['begun']);
    line.cut();
    const execute = async (): Promise<RunOutcome> => {
      order.push('begun by the heir');
      return { state: 'succeeded', report: { by: 'heir' } };
    };
    const cleanUp = async (): Promise<undefined> => void order.push('cleaned up');
    world.work(execute, { name: 'heir', cleanUp, database: await open(scope, url) });
    expect(await world.ended(run.id)).toMatchObject({ state: 'succeeded', attempt: 2, report: { by: 'heir' } });
    expect(order).toEqual(['begun', 'ended in order', 'cleaned up', 'begun by the heir']);
    line.mend();
    // It takes runs again, and has said nothing about the one that it lost.
    const next = await world.runs.queue(runSpec({ vmId: world.nextVm(), reach: ['here'] }));
    world.work(async () => DONE, { reach: new Set(['here']) });
    await world.ended(next.run.id);
    expect(await world.runs.get(run.id)).toMatchObject({ attempt: 2, report: { by: 'heir' } });
  });

  it('a process that is lost in the middle of a transaction does not keep others from theirs', { timeout: 60_000 }, async () => {
    await using scope = new Scope();
    const url = await newDatabase();
    const line = scope.use(await cutLine(server.port));
    const lost = await open(scope, new Secret(url.reveal().replace(`:${server.port}/`, `:${line.port}/`)));
    const world = new QueueWorld(await open(scope, url), systemClock);
    scope.defer(() => world.stop());
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm() }));
    // It has the run's lock, and its line is cut before it gives it back.
    let isCut = (): void => undefined;
    const cut = new Promise<void>((resolve) => {
      isCut = resolve;
    });
    const held = lost.db.transaction().execute(async (trx) => {
      await trx.selectFrom('onevault.run').selectAll().forUpdate().execute();
      line.cut();
      isCut();
      await trx.selectFrom('onevault.run').selectAll().execute();
    });
    scope.defer(() => held.catch(() => undefined));
    await cut;
    world.work(async () => DONE);
    expect(await world.ended(run.id)).toMatchObject({ state: 'succeeded' });
  });

  it('all that open it go by the heartbeat that was set, and a worker from before is judged by what it goes by itself', { timeout: 60_000 }, async () => {
    await using scope = new Scope();
    const url = await newDatabase();
    const before = scope.use(await openDatabase({ kind: 'postgresql', url }, { clock: systemClock }));
    const world = new QueueWorld(before);
    scope.defer(() => world.stop());
    await world.runs.setHeartbeat(10);
    await expect(world.runs.setHeartbeat(5)).rejects.toMatchObject({ code: 'QUEUE_REQUEST_INVALID' });
    const after = scope.use(await openDatabase({ kind: 'postgresql', url }, { clock: systemClock }));
    expect([before.heartbeatSeconds, after.heartbeatSeconds]).toEqual([60, 10]);
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm() }));
    const clock = new StoppableClock();
    scope.defer(async () => clock.goOn());
    world.work(({ signal }) => untilStopped(signal), { name: 'before', concurrency: 1, clock });
    await world.until(run.id, ({ worker }) => worker === 'before');
    clock.stop();
    await quickClock.sleep(5000);
    const silentFor = (seconds: number) =>
      before.db
        .updateTable('onevault.run')
        .set({ beat_at: new Date(Date.now() - seconds * 1000) })
        .where('id', '=', run.id)
        .execute();
    await silentFor(40);
    world.work(async () => DONE, { name: 'after', database: after });
    // Dead runs go first: when it has done another one, this one was none.
    await world.ended((await world.runs.queue(runSpec({ vmId: world.nextVm() }))).run.id);
    expect(await world.runs.get(run.id)).toMatchObject({ worker: 'before', attempt: 1 });
    await silentFor(61);
    expect(await world.ended(run.id)).toMatchObject({ worker: 'after', attempt: 2 });
  });

  it('a URL that is none is said to be none, without telling what it holds', async () => {
    const place = { kind: 'postgresql', url: new Secret('hunter2@db') } as const;
    const error = await openDatabase(place, { clock: systemClock }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'QUEUE_REQUEST_INVALID' });
    expect(String(error)).not.toContain('hunter2');
    const nobody = { kind: 'postgresql', url: new Secret('postgresql://onevault:hunter2@127.0.0.1:1/none') } as const;
    const refused = await openDatabase(nobody, { clock: systemClock }).catch((thrown: unknown) => thrown);
    expect(refused).toMatchObject({ code: 'QUEUE_DATABASE_UNREACHABLE' });
    expect(JSON.stringify(refused)).not.toContain('hunter2');
  });

  it('a database on a socket is one, too', async () => {
    await newDatabase();
    const url = new Secret(`postgresql://onevault@/outage_${databases}?host=${encodeURIComponent(server.socketDirectory)}&port=${server.port}`);
    await using database = await openDatabase({ kind: 'postgresql', url }, { clock: systemClock });
    expect(database.kind).toBe('postgresql');
  });

  it('servers that open an empty database at once all find their tables', { timeout: 60_000 }, async () => {
    await using scope = new Scope();
    const url = await newDatabase();
    const all = await Promise.all(Array.from({ length: 4 }, () => open(scope, url)));
    const tables = await Promise.all(
      all.map((database) =>
        database.schema<{ thing: { id: number } }>('things', {
          '1-thing': { up: async (db) => void (await db.schema.createTable('thing').addColumn('id', 'bigint').execute()) },
        }),
      ),
    );
    await tables[0]?.insertInto('thing').values({ id: 5_000_000_000 }).execute();
    for (const db of tables) expect(await db.selectFrom('thing').selectAll().execute()).toEqual([{ id: 5_000_000_000 }]);
  });
});
