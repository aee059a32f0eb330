import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRepository, fileStore } from '@onevault/backup-format';
import { type Clock, type Logger, Scope, Secret, silentLogger, systemClock } from '@onevault/base';
import { testSettings } from '@onevault/composition/testing';
import { vmId } from '@onevault/one-client';
import { backupVm } from '@onevault/orchestrator';
import { type Database, openDatabase, Runs } from '@onevault/run-queue';
import { openSettings, Redactor } from '@onevault/server';
import { openStateDirectory, type RawReply, type Somebody, send, signIn, startApiSide } from '@onevault/server/testing';
import { makeWorld, type World } from './world.ts';

export const PEOPLE = ['viewer', 'operator', 'admin'] as const;
export type Person = (typeof PEOPLE)[number];
export const passwordOf = (name: string): string => `${name}-secret-password`;

/** Stands in everything that is the victim's: in names, labels, marks, failures, events. */
export const CANARY = 'canary';
/** In what is the installation's, which administrators see: where repositories are, what whole-repository runs said. */
export const HOUSE = 'boiler-room';

/** What somebody has. */
export interface Belongings {
  readonly vmId: number;
  readonly pointId: string;
  /** One that has ended. */
  readonly runId: string;
}

/**
 * The server with every handler that there is, over a cloud of several users: for each role one of that name with a VM, a restore point and runs; and a victim, of whose
 * things nobody else may know. No worker: runs that are begun wait.
 */
export interface Tenants extends AsyncDisposable {
  readonly world: World;
  readonly base: URL;
  /** The state directory. */
  readonly directory: string;
  /** A repository that nobody uses. */
  readonly sparePlace: string;
  readonly database: Database;
  readonly own: ReadonlyMap<Person, Belongings>;
  readonly victim: Belongings;
  /** As the cloud administrator. */
  readonly oneadmin: Somebody;
  ask(who: Somebody, method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<RawReply>;
}

export interface TenantsOptions {
  readonly clock?: Clock;
  readonly logger?: Logger;
}

const HOURLY = { timezone: 'UTC', schedules: [{ at: 'every 24h' }], rpo: '26h', retention: { keepLast: 7 } };
/** Of everybody's VMs, and of the victim's alone. */
export const SPARE_POLICY = { kind: 'backup', name: 'spare', select: { include: ['name=own-*'] }, repository: 'main', enabled: false, ...HOURLY };
const VICTIMS_POLICY = {
  kind: 'backup',
  name: `${CANARY}-policy`,
  description: `for the ${CANARY} people`,
  select: { include: [`owner=${CANARY}-owner`], exclude: [`label=${CANARY}-scratch`] },
  repository: 'main',
  enabled: false,
  ...HOURLY,
  commands: { before: { command: [`/opt/${CANARY}/quiesce`] } },
};

export async function makeTenants({ clock = systemClock, logger = silentLogger }: TenantsOptions = {}): Promise<Tenants> {
  await using scope = new Scope();
  const world = scope.use(await makeWorld({ disks: [{ sizeMiB: 1 }], volatileMiB: [] }));
  const directory = await mkdtemp(join(tmpdir(), 'onevault-tenants-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  const victimsVm = await victimVm(world);
  const vms = new Map<Person, number>();
  for (const name of PEOPLE) {
    const rules = ['VM+IMAGE/* CREATE', 'DATASTORE/#100 USE'];
    const user = await world.sim.control.createUser({ name, password: passwordOf(name), group: `group-of-${name}`, rules });
    vms.set(name, await vmFor(world, user, { name: `own-of-${name}`, disks: [{ sizeMiB: 1 }] }));
  }
  const pointOf = new Map<number, string>();
  for (const id of [victimsVm, ...vms.values()]) pointOf.set(id, (await backupVm(world.deps(), world.backupRequest({ vmId: vmId(id) }))).pointId);
  await markVictim(world, victimsVm, pointOf.get(victimsVm) ?? '');
  const { state, base, database } = await serve(world, directory, { clock, logger }, scope);
  const runs = new RunMaker(database);
  const belongings = async (id: number, mark: string): Promise<Belongings> => ({
    vmId: id,
    pointId: pointOf.get(id) ?? '',
    runId: await runs.ofVm(id, mark),
  });
  const victim = await belongings(victimsVm, CANARY);
  await runs.ofHouse();
  const own = new Map<Person, Belongings>();
  for (const [name, id] of vms) own.set(name, await belongings(id, 'own'));
  const oneadmin = await signIn(base, world.sim.user, world.sim.password);
  const ask: Tenants['ask'] = (who, method, path, body, headers = {}) =>
    send(base, `/api/v1${path}`, { method, headers: { ...who.headers, ...headers }, body });
  await seen(() => ask(oneadmin, 'GET', `/vms/${vms.get('admin')}/points`), 'own-of-admin');
  const owned = scope.move();
  return {
    world,
    base,
    directory: state,
    sparePlace: join(directory, `${HOUSE}-spare`),
    database,
    own,
    victim,
    oneadmin,
    ask,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}

type VmSpec = Parameters<World['sim']['control']['createVm']>[0];

/** With its images. */
async function vmFor({ sim, must }: World, { userId, groupId }: { readonly userId: number; readonly groupId: number }, spec: VmSpec): Promise<number> {
  const { vmId: id, imageIds } = await sim.control.createVm({ nics: [], ...spec });
  for (const image of imageIds) await must('one.image.chown', image, userId, groupId);
  await must('one.vm.chown', id, userId, groupId);
  return id;
}

async function victimVm(world: World): Promise<number> {
  const { sim, must } = world;
  const user = await sim.control.createUser({ name: `${CANARY}-owner`, password: passwordOf(CANARY), group: `${CANARY}-group` });
  const id = await vmFor(world, user, { name: `${CANARY}-vm`, disks: [{ sizeMiB: 1, persistent: true, imageName: `${CANARY}-image` }] });
  await must('one.vm.update', id, `LABELS="${CANARY}-label"\nDESCRIPTION="${CANARY}-text"\nERROR="${CANARY}-error"`, 1);
  await must('one.vm.disksnapshotcreate', id, 0, `${CANARY}-snapshot`);
  return id;
}

/** Hold, tag and drill of the restore point, and what a dead run left of the VM. */
async function markVictim(world: World, id: number, pointId: string): Promise<void> {
  await world.repository.marks.hold(pointId, { reason: `${CANARY}-hold`, by: `${CANARY}-owner` });
  await world.repository.marks.tag(pointId, [`${CANARY}-tag`]);
  const failure = { stage: 'boot', code: 'JOB_DRILL_FAILED', message: `${CANARY}-drill`, details: {} };
  const measures = { writeMs: 1, bootMs: 1, lifeMs: 1, rtoMs: 1, restoredBytes: 1, writtenBytes: 1 };
  const facts = { sourceVmId: id, vmName: `${CANARY}-vm`, network: 'none', need: 'all', signs: [], measures, failure, notes: [], residue: [] };
  const { group } = await world.repository.point(pointId);
  const at = { startedAt: '2026-11-20T01:00:00.000Z', finishedAt: '2026-11-20T01:10:00.000Z' };
  await world.repository.drills.record({ group, pointId, outcome: 'failed', ...at, facts: { runId: 'r1', ...facts } });
}

async function serve(
  world: World,
  directory: string,
  { clock, logger }: Required<TenantsOptions>,
  scope: Scope,
): Promise<{ state: string; base: URL; database: Database }> {
  const state = await openStateDirectory(join(directory, 'state'));
  const settings = await openSettings({ directory: state.settings, clock: systemClock, logger: silentLogger });
  const maintenance = { timezone: 'UTC', gc: undefined, verify: undefined, verifyMode: 'sample' } as const;
  await settings.putRepository({ name: 'main', place: world.repositoryPath, secretFile: undefined, maintenance });
  const spare = join(directory, `${HOUSE}-spare`);
  await (await createRepository(fileStore(spare), {}, { clock: systemClock }))[Symbol.asyncDispose]();
  await settings.putRepository({ name: 'spare', place: spare, secretFile: undefined, maintenance });
  await settings.putRepository({ name: 'away', place: join(directory, `${HOUSE}-away`), secretFile: undefined, maintenance });
  for (const policy of [SPARE_POLICY, VICTIMS_POLICY]) await settings.putPolicy(policy);
  await settings.apply(`notifications:\n- {name: ${HOUSE}-hook, kind: webhook, url: 'http://127.0.0.1:9/${HOUSE}', on: [failed]}\n`);
  for (const role of PEOPLE) await settings.setRole(role, role);
  const auth = join(directory, 'one_auth');
  await writeFile(auth, `${world.sim.user}:${world.sim.password}`, { mode: 0o600 });
  const env = { ONE_AUTH: auth, ONE_XMLRPC: world.sim.endpoint.href };
  const database = scope.use(await openDatabase({ kind: 'embedded', directory: state.database }, { clock: systemClock }));
  const limits = { perAddressPerMinute: 1e6, perCallerPerMinute: 1e6, unknownPerMinute: 1e6 };
  const options = {
    role: 'api' as const,
    settings: testSettings(directory, { oneEnvironment: env }),
    env,
    databaseUrl: new Secret('not used'),
    http: { host: '127.0.0.1', port: 0, limits },
    worker: { name: 'none', slots: 1 },
    clock,
    logger,
    version: '1.2.3',
    redactor: new Redactor(),
  };
  return { state: join(directory, 'state'), base: scope.use(await startApiSide(options, database, state, {})).url, database };
}

/** Runs as workers leave them behind. */
class RunMaker {
  readonly #db: Database['db'];
  readonly #runs: Runs;

  constructor(database: Database) {
    let count = 0;
    this.#db = database.db;
    this.#runs = new Runs(database, () => `20261128T0${++count}0000Z-abcd`);
  }

  /** One that failed, one that runs, one that waits, with `mark` wherever a worker can say something. Answers the id of the one that failed. */
  async ofVm(id: number, mark: string): Promise<string> {
    const failed = await this.#queue({ kind: 'backup', vmId: id, repository: 'main', mode: 'auto' }, id, mark);
    await this.#set(failed, {
      state: 'failed',
      failure: JSON.stringify({ code: 'JOB_TROUBLE', message: `${mark}-failure`, hint: `${mark}-hint` }),
      progress: JSON.stringify({ warnings: [{ code: 'W', text: `${mark}-warning` }], residue: [`${mark}-residue`], steps: [], disks: [] }),
      report: JSON.stringify({ said: `${mark}-report` }),
      ended_at: new Date(),
    });
    await this.#event(failed, 'log', { message: `${mark}-log` });
    await this.#event(failed, 'run.ended', { state: 'failed', message: `${mark}-ended` });
    const running = await this.#queue({ kind: 'snapshot-create', vmId: id, name: `${mark}-set` }, id, mark);
    await this.#set(running, { state: 'running', beat_at: new Date(Date.now() + 86_400_000) });
    await this.#queue({ kind: 'snapshot-delete', vmId: id, set: `${mark}-set` }, id, mark);
    return failed;
  }

  /** A chore of a whole repository. */
  async ofHouse(): Promise<void> {
    const failed = await this.#queue({ kind: 'gc', repository: 'main' }, undefined, HOUSE);
    await this.#set(failed, { state: 'failed', failure: JSON.stringify({ code: 'REPO_TROUBLE', message: `${HOUSE}-failure` }), ended_at: new Date() });
    await this.#event(failed, 'log', { message: `${HOUSE}-log` });
  }

  async #queue(request: { readonly kind: string } & Record<string, string | number>, id: number | undefined, mark: string): Promise<string> {
    const { run } = await this.#runs.queue({
      kind: request.kind,
      request: { request },
      ...(id !== undefined && { vmId: id, vmName: `${mark}-vm` }),
      origin: { kind: 'user', name: `${mark}-owner` },
      priority: 50,
      holds: [],
      reach: [],
      retry: { times: 0, afterMs: 0 },
    });
    return run.id;
  }

  /** As its worker would. */
  async #set(id: string, columns: object): Promise<void> {
    const begun = { worker: 'w1', attempt: 1, started_at: new Date() };
    await this.#db
      .updateTable('onevault.run')
      .set({ ...begun, ...columns })
      .where('id', '=', id)
      .execute();
  }

  async #event(runId: string, type: string, data: object): Promise<void> {
    await this.#db
      .insertInto('onevault.run_event')
      .values({ run_id: runId, type, data: JSON.stringify(data) })
      .execute();
  }
}

/** The server reads cloud and repositories in the background. */
async function seen(look: () => Promise<RawReply>, text: string): Promise<void> {
  const until = systemClock.monotonicMs() + 30_000;
  for (;;) {
    const reply = await look();
    if (reply.text.includes(text)) return;
    if (systemClock.monotonicMs() > until) throw new Error(`not seen within 30 s: ${text} in ${reply.text}`);
    await systemClock.sleep(50);
  }
}
