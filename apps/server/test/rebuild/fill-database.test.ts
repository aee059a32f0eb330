import { openRepository, type Repository } from '@onevault/backup-format';
import { silentLogger, systemClock } from '@onevault/base';
import { compilePolicy, type Policy, parsePolicy } from '@onevault/policies';
import { type Database, Runs } from '@onevault/run-queue';
import type { Kysely, KyselyPlugin } from 'kysely';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DatabaseCatalog } from '../../src/catalog/database-catalog.ts';
import { OpenRepositories } from '../../src/catalog/open-repositories.ts';
import type { ServerSettings } from '../../src/ports/settings-store.ts';
import { fillDatabase } from '../../src/rebuild/fill-database.ts';
import { readFilled } from '../../src/rebuild/filled.ts';
import { databaseSlots, slotKeyText } from '../../src/scheduler/handled-slots.ts';
import { timetableOf } from '../../src/scheduler/timetable.ts';
import { addPoint, type CatalogLab, openLab } from '../catalog/catalog-lab.ts';
import { policyDocument } from '../scheduler/schedule-stage.ts';

const SLOT = new Date('2026-11-27T22:00:00Z');
/** It dies before each statement, or before every other one. */
const EVERY = process.env['ONEVAULT_LONG'] === '1' ? 1 : 2;

describe('a new database is filled', () => {
  let lab: CatalogLab;
  let settings: { current(): ServerSettings };
  let kept: ReadonlyMap<string, number>;
  beforeAll(async () => {
    lab = await openLab();
    const main = await lab.repository('main');
    await addPoint(main, { vmId: 1, capturedAt: '2026-11-26T22:00:10Z', policy: 'nightly' });
    await addPoint(main, { vmId: 1, capturedAt: '2026-11-27T22:00:10Z', policy: 'nightly' });
    await addPoint(main, { vmId: 2, capturedAt: '2026-11-26T22:00:20Z', policy: 'nightly' });
    await addPoint(main, { vmId: 3, capturedAt: '2026-11-27T23:30:00Z' });
    const policies = [policyDocument(), policyDocument({ kind: 'snapshot', name: 'hourly', repository: undefined, schedules: [{ at: 'every 1h' }], keep: 3 })];
    const compiled = policies.map((document) => compilePolicy<Policy>(parsePolicy(JSON.parse(JSON.stringify(document))), SLOT.getTime()));
    settings = { current: () => ({ ...lab.settings.current(), policies: compiled, backupPolicies: compiled.slice(0, 1) as never }) };
    kept = new Map(timetableOf(settings.current()).map(({ key }) => [slotKeyText(key), SLOT.getTime()]));
  }, 120_000);
  afterAll(() => lab?.[Symbol.asyncDispose]());
  beforeEach(() => empty());

  async function empty(): Promise<void> {
    await lab.openCatalog();
    await sql`truncate onevault_catalog.point, onevault_catalog.repository, onevault_catalog.schedule, onevault_catalog.filled, onevault.run cascade`.execute(
      lab.database.db,
    );
  }

  /** As a process of its own does it. */
  async function fill(database: Database = lab.database, of = kept): Promise<DatabaseCatalog> {
    await using repositories = new OpenRepositories({ clock: systemClock, openRepository: reopened });
    const catalog = await DatabaseCatalog.open({ database, settings, repositories, clock: systemClock, logger: silentLogger });
    const queue = new Runs(database, () => 'run-new');
    await fillDatabase({ catalog, settings, queue, slots: databaseSlots(catalog.db), kept: of, isLoss: true, clock: systemClock, logger: silentLogger });
    return catalog;
  }
  async function reopened(name: string): Promise<Repository> {
    const store = lab.stores.get(name);
    if (store === undefined || lab.away.has(name)) throw new Error(`${name} is away`);
    return openRepository(store, { clock: systemClock });
  }

  async function everything(): Promise<object> {
    const { db } = await lab.openCatalog();
    const { rows } = await sql`select * from onevault.run order by id`.execute(db);
    return {
      points: await db.selectFrom('point').selectAll().orderBy('id').execute(),
      slots: await db.selectFrom('schedule').selectAll().orderBy('policy').execute(),
      runs: rows,
      isFilled: (await readFilled(db)) !== undefined,
    };
  }

  it('with the last good run of each VM, and the VMs of the last slot that have no restore point yet have their turn still', async () => {
    const catalog = await fill();
    const runs = new Runs(lab.database, () => 'run-new');
    const told = (await runs.list({ limit: 10 })).map(({ vmId, state, schedule, endedAt, report }) => ({
      vmId,
      state,
      slot: schedule?.slot,
      ended: endedAt !== undefined,
      kind: report?.['kind'],
    }));
    expect(told.sort((a, b) => (a.vmId ?? 0) - (b.vmId ?? 0))).toEqual([
      { vmId: 1, state: 'succeeded', slot: SLOT, ended: true, kind: 'backup' },
      { vmId: 2, state: 'succeeded', slot: undefined, ended: true, kind: 'backup' },
      { vmId: 3, state: 'succeeded', slot: undefined, ended: true, kind: 'backup' },
    ]);
    const slots = [...(await databaseSlots(catalog.db).all()).values()];
    expect(slots).toEqual([SLOT.getTime() - 1, SLOT.getTime()]); // snapshots leave no restore point: what was begun is done
    const spec = {
      kind: 'backup',
      request: {},
      origin: { kind: 'schedule', name: 'nightly' },
      priority: 50,
      holds: [],
      reach: [],
      retry: { times: 0, afterMs: 0 },
    } as const;
    const begin = (vmId: number) => runs.queue({ ...spec, vmId, schedule: { policy: 'nightly', slot: SLOT } });
    expect((await begin(1)).isNew).toBe(false);
    expect((await begin(2)).isNew).toBe(true);
  });

  it('without what is in a repository that is away: its policies go on behind what had begun, and the rest is there', async () => {
    lab.away.add('main');
    try {
      const catalog = await fill();
      expect(catalog.repositories()).toMatchObject([{ name: 'main', reachable: false, points: 0 }]);
      expect([...(await databaseSlots(catalog.db).all()).values()]).toEqual([SLOT.getTime(), SLOT.getTime()]);
    } finally {
      lab.away.delete('main');
    }
  });

  it('as it would have been, when it died before one of its statements and is begun again', { timeout: 120_000 }, async () => {
    await fill();
    const whole = await everything();
    let deaths = 0;
    for (let at = 1; ; at += EVERY) {
      await empty();
      const isDead = await fill(dyingAt(at)).then(
        () => false,
        () => true,
      );
      if (!isDead) break;
      deaths++;
      await fill();
      expect(await everything(), `died before statement ${at}`).toEqual(whole);
    }
    expect(deaths).toBeGreaterThan(12 / EVERY);
    await fill(); // and once more changes nothing
    expect(await everything()).toEqual(whole);
  });

  /** The same database, for a process that dies before its `at`th statement. */
  function dyingAt(at: number): Database {
    let statements = 0;
    const plugin: KyselyPlugin = {
      transformQuery: ({ node }) => {
        if (++statements >= at) throw new Error('killed');
        return node;
      },
      transformResult: async ({ result }) => result,
    };
    const { database } = lab;
    return {
      ...database,
      db: database.db.withPlugin(plugin),
      schema: async <T>(name: string, migrations: Parameters<Database['schema']>[1]): Promise<Kysely<T>> =>
        (await database.schema<T>(name, migrations)).withPlugin(plugin),
    };
  }
});
