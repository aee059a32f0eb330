import { existsSync } from 'node:fs';
import { readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ApiClient, createApiClient, type OperationId } from '@onevault/api';
import { fileStore, openRepository } from '@onevault/backup-format';
import { systemClock } from '@onevault/base';
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest';
import { documentOf, type Finished, openSecondShell, type SecondShell, startCommand } from '../support/command-line.ts';
import { type Postgres, postgresRequirements, startPostgres } from '../support/postgres.ts';
import { describeWith } from '../support/requires.ts';
import { type ShiftedClock, shiftedClock } from '../support/shifted-clock.ts';

const PATIENCE_MS = 240_000;
const PASSPHRASE = 'second.passphrase';
/** Of this machine's disks now, or of the last moments: no part of what a server knows. */
const OF_THE_MOMENT = new Set(['freeBytes', 'lastUsedAt', 'lateMs']);

/** A server process of the built command that is up, and somebody with a token who asks it. */
interface Up {
  readonly process: ReturnType<typeof startCommand>;
  readonly api: ApiClient;
}

describeWith(postgresRequirements, 'a server whose database is lost', () => {
  let shell: SecondShell;
  let clock: ShiftedClock;
  let stateDir: string;
  let token: string;
  let server: Up | undefined;
  let postgres: Postgres;
  let before: object;
  const vms: number[] = [];
  const logs: string[] = [];

  const env = (more: Readonly<Record<string, string>> = {}) => ({ ...shell.env, ...clock.env, ...more });
  const rebuild = (more?: Readonly<Record<string, string>>) => startCommand(['server', 'rebuild', '--json', '--state-dir', stateDir], env(more));

  async function start(more?: Readonly<Record<string, string>>): Promise<Up> {
    const process = startCommand(['server', '--listen', '127.0.0.1:0', '--state-dir', stateDir, '--slots', '1'], env(more));
    void process.finished.then(({ stderr }) => logs.push(stderr));
    await process.sees(/ready at/);
    const baseUrl = /ready at (\S+)/.exec(process.stdout())?.[1] ?? '';
    const make = (name: string, role: string) =>
      must(startCommand(['token', 'create', name, '--role', role, '--expires', '9d'], { ...shell.env, ONEVAULT_SERVER: baseUrl }).finished);
    token ??= (await Promise.all([make('desk', 'admin'), make('reader', 'viewer')]))[0];
    server = { process, api: createApiClient({ baseUrl, headers: () => ({ authorization: `Bearer ${token}` }) }) };
    return server;
  }
  async function end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<Finished | undefined> {
    const finished = server?.process.finished;
    server?.process.process.kill(signal);
    server = undefined;
    return finished;
  }
  async function done(api: ApiClient, id: string): Promise<void> {
    for await (const { type } of api.events('watchRun', { params: { runId: id } })) if (type === 'run.ended') break;
    const { state, failure } = await api.call('getRun', { params: { runId: id } });
    if (state !== 'succeeded') throw new Error(`run ${id} ${state}: ${failure?.message}`);
  }
  const points = async (api: ApiClient, vmId: number) => (await api.call('listPointsOfVm', { params: { vmId }, query: { limit: 50 } })).items;

  beforeAll(async () => {
    [shell, postgres] = await Promise.all([openSecondShell('0'), startPostgres()]);
    clock = await shiftedClock(join(shell.dir, 'clock'));
    stateDir = join(shell.dir, 'server');
    for (const name of ['a', 'b', 'c']) vms.push((await shell.control.createVm({ name, disks: [{ sizeMiB: 2 }], volatileMiB: [], nics: [] })).vmId);
    const { api } = await start();
    expect((await api.call('overview', {})).madeAnew).toBeUndefined(); // nothing was lost
    await writeFile(join(stateDir, 'secrets', PASSPHRASE), 'correct horse battery\n', { mode: 0o600 });
    const maintenance = { gc: 'none', verify: 'none' };
    await api.call('putRepository', { params: { name: 'main' }, body: { place: join(shell.dir, 'main'), create: true, maintenance } });
    await api.call('putRepository', {
      params: { name: 'second' },
      body: { place: join(shell.dir, 'second'), secretFile: PASSPHRASE, create: true, maintenance },
    });
    // Never while the test runs.
    const farAway = new Date(Date.now() + 12 * 3_600_000).toISOString().slice(11, 16);
    await api.call('applySettings', {
      body: {
        dryRun: false,
        yaml: JSON.stringify({
          limits: { perHost: 3 },
          notifications: [{ kind: 'webhook', name: 'desk', url: 'http://127.0.0.1:9/', on: ['failed'] }],
          policies: [{ kind: 'snapshot', name: 'daily', timezone: 'UTC', select: { include: ['name=a'] }, schedules: [{ at: farAway }], keep: 2 }],
        }),
      },
    });
    await shell.control.createUser({ name: 'eva', password: 'secret-of-eva', group: 'users' });
    await api.call('setRole', { params: { user: 'eva' }, body: { role: 'operator' } });
    const [first = 0] = vms;
    await done(api, (await api.call('startRun', { body: { kind: 'backup', vmId: first, repository: 'main', mode: 'auto' } })).id);
    await done(api, (await api.call('startRun', { body: { kind: 'backup', vmId: first, repository: 'second', mode: 'auto' } })).id);
    await done(api, (await api.call('startRun', { body: { kind: 'snapshot-create', vmId: first, name: 'mine', acceptPermanent: true } })).id);
    const [point] = await points(api, first);
    const of = { repository: point?.repository ?? '', pointId: point?.id ?? '' };
    await api.call('holdPoint', { params: of, body: { reason: 'ticket 7' } });
    await api.call('tagPoint', { params: of, body: { tags: ['gold'] } });
  }, PATIENCE_MS);
  afterAll(async () => {
    await end('SIGKILL');
    await Promise.all([shell?.[Symbol.asyncDispose](), postgres?.[Symbol.asyncDispose]()]);
  }, 60_000);

  it('killed in the middle of a schedule, with a damaged database: what the message says brings every VM its one restore point', {
    timeout: PATIENCE_MS,
  }, async () => {
    tell();
    const { api, process } = server ?? (await start());
    const minute = clock.nextMinute();
    const nightly = {
      kind: 'backup' as const,
      name: 'nightly',
      repository: 'main',
      timezone: 'UTC',
      select: { include: ['*'] },
      schedules: [{ at: minute.toISOString().slice(11, 16) }],
      retention: { keepLast: 3 },
    };
    await api.call('putPolicy', { params: { name: 'nightly' }, body: nightly });
    await expect.poll(() => existsSync(join(stateDir, 'schedules.json')), { timeout: 10_000 }).toBe(true);
    await shell.control.hold(['saveas']);
    await clock.set(process.process, minute);
    await api.call('putPolicy', { params: { name: 'nightly' }, body: { ...nightly, priority: 51 } });
    const states = async () => (await api.call('listRuns', { query: { policy: 'nightly', kind: 'backup', limit: 10 } })).items.map(({ state }) => state).sort();
    await expect.poll(states, { timeout: 30_000, interval: 50 }).toEqual(['queued', 'queued', 'running']);
    await expect.poll(() => shell.control.step(), { timeout: 10_000, interval: 50 }).toBe(1);
    await expect.poll(states, { timeout: 30_000, interval: 50 }).toEqual(['queued', 'running', 'succeeded']);
    await expect.poll(async () => (await readdir(join(stateDir, 'journals'))).filter((name) => name.endsWith('.jsonl')).length, { timeout: 10_000 }).toBe(1);
    await end('SIGKILL');
    await shell.control.release();
    await truncate(join(stateDir, 'database', 'pg18', 'global', 'pg_control'), 0);

    const refused = await startCommand(['server', '--listen', '127.0.0.1:0', '--state-dir', stateDir, '--jsonl'], env()).finished;
    const said = JSON.parse(refused.stderr.trim().split('\n').at(-1) ?? '') as { readonly code: string; readonly hint: string };
    expect(said.code).toBe('QUEUE_DATABASE_DAMAGED');
    const [, remedy = ''] = /^onevault (server rebuild) /.exec(said.hint) ?? [];
    const killed = startCommand([...remedy.split(' '), '--state-dir', stateDir], env());
    await expect.poll(() => existsSync(join(stateDir, 'database', 'pg18', 'base')), { timeout: 60_000, interval: 5 }).toBe(true);
    killed.process.kill('SIGKILL');
    await killed.finished;
    const rebuilt = await startCommand([...remedy.split(' '), '--state-dir', stateDir], env()).finished;
    expect(rebuilt).toMatchObject({ exit: 0, stdout: expect.stringContaining('repository main: 2 restore points') });
    expect((await readdir(stateDir)).filter((name) => name.startsWith('database.'))).toHaveLength(1);

    const again = await start();
    await expect
      .poll(
        () => again.api.call('listRuns', { query: { policy: 'nightly', kind: 'backup', state: 'succeeded', limit: 10 } }).then(({ items }) => items.length),
        { timeout: 60_000, interval: 100 },
      )
      .toBe(3);
    await expect.poll(() => again.api.call('listRuns', { query: { state: 'queued', limit: 10 } }).then(({ items }) => items), { timeout: 60_000 }).toEqual([]);
    expect(await vmsOfPoints('nightly')).toEqual(vms);
    await expect
      .poll(() => readdir(join(stateDir, 'journals')).then((names) => names.filter((name) => name.endsWith('.jsonl'))), { timeout: 30_000 })
      .toEqual([]);
    expect(await left()).toEqual([]);
    const inUse = await rebuild().finished;
    expect({ exit: inUse.exit, code: JSON.parse(inUse.stderr.trim()).code }).toEqual({ exit: 1, code: 'QUEUE_DATABASE_IN_USE' });
    before = await everything(again.api);
    await end();
  });

  it('deleted whole: the server says so, brings back what there was, and begins nothing twice', { timeout: PATIENCE_MS }, async () => {
    tell();
    await rm(join(stateDir, 'database'), { recursive: true });
    const { api } = await start();
    await expect.poll(async () => (await api.call('overview', {})).madeAnew, { timeout: 60_000 }).toMatchObject({ isDone: true });
    expect(await everything(api)).toEqual(before);
    expect((await end())?.stderr).toContain('the database is new and the state directory is not');
  });

  it('in PostgreSQL, dropped and made empty: rebuilt repository by repository, and refused while anybody is connected', { timeout: PATIENCE_MS }, async () => {
    tell();
    const DATABASE_URL = (await postgres.createDatabase('onevault')).reveal();
    const secret = join(stateDir, 'secrets', PASSPHRASE);
    await rename(secret, `${secret}.away`);
    const partly = await rebuild({ DATABASE_URL }).finished;
    const lost = { code: 'CLI_SECRET_UNREADABLE', message: expect.stringContaining(PASSPHRASE) };
    const repositories = [
      { name: 'main', points: 4, problem: null },
      { name: 'second', points: 0, problem: lost },
    ];
    expect({ exit: partly.exit, ...documentOf(partly) }).toMatchObject({ exit: 3, repositories, audit: { intact: true }, runs: 3, hasSchedules: true });
    await rename(`${secret}.away`, secret);
    const { api } = await start({ DATABASE_URL });
    const inUse = await rebuild({ DATABASE_URL }).finished;
    expect({ exit: inUse.exit, code: JSON.parse(inUse.stderr.trim()).code }).toEqual({ exit: 1, code: 'QUEUE_DATABASE_IN_USE' });
    await expect.poll(async () => (await api.call('listRepositories', {})).map(({ points: count }) => count), { timeout: 60_000 }).toEqual([4, 1]);
    expect(await everything(api)).toEqual(before);
    await end();
    await postgres.sql('postgres', 'drop database onevault with (force)');
    await postgres.createDatabase('onevault');
    const whole = await rebuild({ DATABASE_URL }).finished;
    expect(whole).toMatchObject({ exit: 0 });
    expect(await everything((await start({ DATABASE_URL })).api)).toEqual(before);
  });

  function tell(): void {
    onTestFailed(() => void process.stderr.write(logs.join('\n').slice(-6000)));
  }

  /** Ids of the VMs whose restore points were taken for a policy, one for each. */
  async function vmsOfPoints(policy: string): Promise<readonly number[]> {
    const found: number[] = [];
    await using repository = await openRepository(fileStore(join(shell.dir, 'main')), { clock: systemClock });
    for await (const listed of repository.points())
      if (listed.kind === 'point' && listed.point.annotations['policy'] === policy) found.push((listed.point.annotations['vm'] as { readonly id: number }).id);
    return found.sort((a, b) => a - b);
  }

  /** Images, snapshots and attached disks of runs that did not end. */
  async function left(): Promise<readonly string[]> {
    return (await shell.control.leftovers('ov-')).map(({ kind, name }) => `${kind} ${name}`);
  }

  /** All that a client can ask that is not of the moment: the runs that are listed, too, are others after a loss, and are looked at alone. */
  async function everything(api: ApiClient): Promise<object> {
    const ask = async (id: OperationId, input: object = {}): Promise<unknown> =>
      plain(await (api.call as (id: string, input: object) => Promise<unknown>)(id, input));
    const text = async (id: 'exportSettings' | 'protectionReport' | 'sizesReport' | 'drillsReport', query?: object): Promise<string> => {
      const { body } = await (api.file as (id: string, input: object) => Promise<{ readonly body: ReadableStream }>)(id, query === undefined ? {} : { query });
      return (await new Response(body).text()).replace(/"at": "[^"]+"/, '');
    };
    const { items } = await api.call('listVms', { query: { sort: 'id', limit: 50 } });
    expect(items.filter(({ exists }) => exists).length).toBeGreaterThanOrEqual(3);
    const ofVms = items.map(async ({ id }) => [
      await ask('getVm', { params: { vmId: id } }),
      await ask('listPointsOfVm', { params: { vmId: id }, query: { limit: 50 } }),
      await ask('listSnapshots', { params: { vmId: id } }),
    ]);
    const { protection, outOfRpo, failures, orphans } = await api.call('overview', {});
    const audit = await api.call('readAudit', { query: { limit: 100 } });
    const { records: _records, head: _head, ...chain } = await api.call('verifyAudit', {});
    return {
      settings: await text('exportSettings'),
      policies: await ask('listPolicies'),
      calendar: await ask('retentionCalendar', { params: { name: 'nightly' }, query: { limit: 50 } }),
      // Stored bytes are counted anew, and added up between two counts.
      repositories: (await api.call('listRepositories', {})).map(({ storedBytes: _storedBytes, ...rest }) => plain(rest)),
      tokens: await ask('listTokens'),
      users: await ask('listUsers'),
      vms: await Promise.all(ofVms),
      overview: { protection, outOfRpo, failures, orphans },
      // Looking at the settings is told there, too.
      audit: audit.filter(({ action }) => action !== 'exportSettings'),
      chain,
      reports: await Promise.all((['protectionReport', 'sizesReport', 'drillsReport'] as const).map((id) => text(id, { format: 'json' }))),
      metrics: (await text('metrics' as never))
        .split('\n')
        .filter((line) => /^onevault_(vms|vm_last_success|policy_|repository_(points|damaged|reach|last))/.test(line)),
    };
  }
});

/** As JSON, without what is of the moment. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, field: unknown) => (OF_THE_MOMENT.has(key) ? undefined : field)));
}

async function must(command: Promise<Finished>): Promise<string> {
  const { exit, stdout, stderr } = await command;
  if (exit !== 0) throw new Error(`exit ${exit}: ${stderr}`);
  return stdout.trim();
}
