import { readdir, readlink, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '@onevault/base';
import { describeWith, requiresTinyFileSystem, TinyFileSystem } from '@onevault/base/testing';
import { sql } from 'kysely';
import { expect, it } from 'vitest';
import { type Database, openDatabase } from '../src/index.ts';
import { DONE, QueueWorld, quickClock, runSpec } from '../testing/index.ts';

const KIB = 1024;

/** A dead one is begun anew in a tenth of a second instead of ten. */
const hastyClock: Clock = { ...quickClock, monotonicMs: () => quickClock.monotonicMs() * 100 };

function open({ directory }: TinyFileSystem): Promise<Database> {
  return openDatabase({ kind: 'embedded', directory }, { clock: hastyClock });
}

/** Takes all the space there is but a few pages, in which PostgreSQL can begin to start, and answers how to give it back. */
async function fill({ path }: TinyFileSystem): Promise<() => Promise<void>> {
  const ballast = join(path, 'ballast');
  const full = await writeFile(ballast, Buffer.alloc(512 * KIB * KIB)).catch((error: NodeJS.ErrnoException) => error.code);
  expect(full).toBe('ENOSPC');
  await truncate(ballast, (await stat(ballast)).size - 256 * KIB);
  return () => rm(ballast);
}

/** PostgreSQL begins the next file of its log, for which there is no room: it ends itself. */
async function nextLogFile({ db }: Database): Promise<void> {
  await sql`select pg_switch_wal()`.execute(db);
  await sql`select pg_logical_emit_message(true, 'onevault', 'the first of the next file')`.execute(db);
}

/** Of this process, on that file system. */
async function openFiles({ path }: TinyFileSystem): Promise<string[]> {
  const open = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
  return (await Promise.all(open)).filter((file) => file.startsWith(`${path}/`));
}

/** Each would keep the memory of the PostgreSQL that set it. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length;
}

const NO_SPACE = { code: 'QUEUE_DATABASE_NO_SPACE', retryable: true, message: expect.stringContaining('MiB'), hint: expect.stringContaining('128 MiB') };

describeWith([requiresTinyFileSystem()], 'an embedded database without space', () => {
  it('is not begun, leaves nothing of itself, and is begun when there is room', { timeout: 60_000 }, async () => {
    using tiny = new TinyFileSystem(12 * KIB);
    await expect(open(tiny)).rejects.toMatchObject({ ...NO_SPACE, details: { directory: tiny.directory, freeMib: expect.any(Number) } });
    expect(await readdir(tiny.directory)).toEqual([]);
    tiny.remount('size=100m');
    await using database = await open(tiny);
    expect(await sql`select 1 as one`.execute(database.db)).toMatchObject({ rows: [{ one: 1 }] });
  });

  it('says so for each thing that it cannot keep, keeps what it had said, and goes on when there is room: runs too, none twice', {
    timeout: 60_000,
  }, async () => {
    using tiny = new TinyFileSystem(80 * KIB);
    await using database = await open(tiny);
    const world = new QueueWorld(database);
    const begun: string[] = [];
    let done = (): void => undefined;
    const { run } = await world.runs.queue(runSpec({ vmId: world.nextVm() }));
    world.work(async ({ run: { id }, note }) => {
      begun.push(id);
      await new Promise<void>((resolve) => {
        done = resolve;
      });
      await note({ step: 'after' });
      return DONE;
    });
    await expect.poll(() => begun).toEqual([run.id]);
    const second = await world.runs.queue(runSpec({ vmId: world.nextVm(), startAfter: new Date('2100-01-01T00:00:00Z') }));
    const free = await fill(tiny);
    await expect(nextLogFile(database)).rejects.toMatchObject(NO_SPACE);
    // Not one of them turns for ever.
    await expect(world.runs.get(run.id)).rejects.toMatchObject(NO_SPACE);
    await expect(world.runs.queue(runSpec({ vmId: world.nextVm() }))).rejects.toMatchObject(NO_SPACE);
    await expect(database.db.transaction().execute((trx) => sql`select 1`.execute(trx))).rejects.toMatchObject(NO_SPACE);
    done();
    await free();
    expect(await world.ended(run.id)).toMatchObject({ state: 'succeeded', attempt: 1 });
    expect(begun).toEqual([run.id]);
    expect(await world.runs.get(second.run.id)).toMatchObject({ state: 'queued' });
    await world.stop();
  });

  it('fails a statement that asks for more room, and no other one', { timeout: 60_000 }, async () => {
    using tiny = new TinyFileSystem(80 * KIB);
    await using database = await open(tiny);
    await sql`create table onevault.shelf (thing text)`.execute(database.db);
    const free = await fill(tiny);
    const more = () => sql`insert into onevault.shelf select repeat(md5(i::text), 30) from generate_series(1, 2000) i`.execute(database.db);
    await expect(more()).rejects.toMatchObject(NO_SPACE);
    expect((await sql`select count(*) as count from onevault.shelf`.execute(database.db)).rows).toEqual([{ count: 0 }]);
    await free();
    await more();
    expect((await sql`select count(*) as count from onevault.shelf`.execute(database.db)).rows).toEqual([{ count: 2000 }]);
  });

  it('is not called damaged when a server is started on it, and then has all that was promised', { timeout: 60_000 }, async () => {
    using tiny = new TinyFileSystem(80 * KIB);
    const first = await open(tiny);
    const world = new QueueWorld(first);
    const { run } = await world.runs.queue(runSpec());
    const free = await fill(tiny);
    await expect(nextLogFile(first)).rejects.toMatchObject(NO_SPACE);
    await first[Symbol.asyncDispose]();
    const timersBefore = timers();
    for (let start = 0; start < 2; start++) await expect(open(tiny)).rejects.toMatchObject(NO_SPACE);
    expect(await openFiles(tiny)).toEqual([]);
    expect(timers()).toBeLessThan(timersBefore + 2);
    await free();
    await using database = await open(tiny);
    expect(await new QueueWorld(database).runs.get(run.id)).toMatchObject({ state: 'queued', vmId: 17 });
  });

  it('is not a read-only one, which says so', { timeout: 60_000 }, async () => {
    using tiny = new TinyFileSystem(80 * KIB);
    await (await open(tiny))[Symbol.asyncDispose]();
    tiny.remount('ro');
    await expect(open(tiny)).rejects.toMatchObject({ code: 'QUEUE_DATABASE_READ_ONLY', message: expect.stringContaining(tiny.directory) });
    tiny.remount('rw');
    await (await open(tiny))[Symbol.asyncDispose]();
  });
});
