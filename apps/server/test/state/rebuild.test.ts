import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAuditLog } from '@onevault/audit-log';
import { createRepository, fileStore, openRepository } from '@onevault/backup-format';
import { silentLogger, systemClock } from '@onevault/base';
import type { Settings } from '@onevault/composition';
import { openDatabase } from '@onevault/run-queue';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DatabaseCatalog } from '../../src/catalog/database-catalog.ts';
import { OpenRepositories } from '../../src/catalog/open-repositories.ts';
import { HALF_MADE } from '../../src/rebuild/bring-back.ts';
import { rebuildServer } from '../../src/rebuild/rebuild-server.ts';
import { openSettings } from '../../src/settings/settings-store.ts';
import { openStateDirectory, type StateDirectory } from '../../src/start/state-directory.ts';
import { addPoint } from '../catalog/catalog-lab.ts';

let root: string;
let state: StateDirectory;
const open = { clock: systemClock, logger: silentLogger };
const openByName = (_name: string) => openRepository(fileStore(join(root, 'repository')), { clock: systemClock });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'onevault-rebuild-'));
  state = await openStateDirectory(join(root, 'state'));
  await using repository = await createRepository(fileStore(join(root, 'repository')), {}, { clock: systemClock });
  const ids: string[] = [];
  for (let i = 0; i < 12; i++)
    ids.push(await addPoint(repository, { vmId: 1 + (i % 3), capturedAt: `2026-11-${10 + i}T22:00:00Z`, ...(i % 2 === 0 && { policy: 'nightly' }) }));
  await repository.marks.hold(ids[2] ?? '', { reason: 'ticket 7', by: 'eva' });
  await repository.marks.tag(ids[5] ?? '', ['gold']);
  const settings = await openSettings({ directory: state.settings, ...open });
  await settings.apply(
    JSON.stringify({
      repositories: { main: { place: join(root, 'repository') } },
      policies: [{ kind: 'backup', name: 'nightly', repository: 'main', timezone: 'UTC', select: { include: ['*'] }, schedules: [{ at: '22:00' }] }],
      roles: { users: { eva: 'admin' } },
      limits: { perHost: 2 },
    }),
  );
  await using audit = await openAuditLog({ directory: state.audit, clock: systemClock });
  for (let i = 0; i < 5; i++) await audit.append({ actor: { kind: 'user', name: 'eva' }, action: 'putPolicy', object: `nightly-${i}`, outcome: 'ok' });
}, 60_000);
afterAll(() => rm(root, { recursive: true, force: true }));

/** All that a server knows: settings, every row of the catalog, the audit log. */
async function everything(): Promise<object> {
  const settings = await openSettings({ directory: state.settings, ...open });
  await using database = await openDatabase({ kind: 'embedded', directory: state.database }, { clock: systemClock });
  await using repositories = new OpenRepositories({ openRepository: openByName, clock: systemClock });
  const catalog = await DatabaseCatalog.open({ database, settings, repositories, ...open });
  if (catalog.groups().length === 0) await catalog.refreshAll();
  const audit = await Promise.all(
    (await readdir(state.audit)).map(async (name) =>
      createHash('sha256')
        .update(await readFile(join(state.audit, name)))
        .digest('hex'),
    ),
  );
  const points = await catalog.db.selectFrom('point').selectAll().orderBy('repository').orderBy('id').execute();
  return { settings: settings.export(), points, repositories: catalog.repositories().map(({ freeBytes: _free, ...rest }) => rest), audit };
}

it('a database that was deleted is made anew: policies, restore points and audit are what they were', { timeout: 120_000 }, async () => {
  const before = await everything();
  expect(before).toMatchObject({ points: { length: 12 } });
  await rm(state.database, { recursive: true });
  const options = { settings: { stateDir: join(root, 'state') } as Settings, databaseUrl: undefined, openRepository: openByName, ...open };
  const report = await rebuildServer(options);
  expect(report).toMatchObject({
    policies: ['nightly'],
    repositories: [{ name: 'main', points: 12, reachable: true }],
    audit: { records: 5, intact: true },
    setAside: undefined,
  });
  expect(await everything()).toEqual(before);

  // Of a server that runs nothing is taken; of one that does not, the database is set aside, unless it is what a rebuild that was killed had begun.
  {
    await using _running = await openDatabase({ kind: 'embedded', directory: state.database }, { clock: systemClock });
    await expect(rebuildServer(options)).rejects.toMatchObject({ code: 'QUEUE_DATABASE_IN_USE' });
  }
  await rm(join(state.database, 'pg18', 'global'), { recursive: true });
  expect((await rebuildServer(options)).setAside).toContain('database.before-');
  await writeFile(join(state.database, HALF_MADE), '');
  await rm(join(state.database, 'pg18', 'base'), { recursive: true });
  expect((await rebuildServer(options)).setAside).toBeUndefined();
  expect((await readdir(join(root, 'state'))).filter((name) => name.startsWith('database'))).toEqual(['database', expect.stringContaining('database.before-')]);
  expect(await everything()).toEqual(before);
});
