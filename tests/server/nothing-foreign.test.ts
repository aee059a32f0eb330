import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Scope, Secret, silentLogger, systemClock } from '@onevault/base';
import { testSettings } from '@onevault/composition/testing';
import { backupVm } from '@onevault/orchestrator';
import { openDatabase } from '@onevault/run-queue';
import { openSettings, Redactor } from '@onevault/server';
import { openStateDirectory, type RawReply, type Somebody, send, signIn, startApiSide } from '@onevault/server/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Documented, documented, type Ids, pathOf } from '../support/api-table.ts';
import { makeWorld, type World } from '../support/world.ts';

/** Everything of the other user has this in its name; ids of theirs are numbers that nothing else here has. */
const FOREIGN = 'web';
const MISSING = 4_000_000;
const ROLES = ['viewer', 'operator', 'admin'] as const;

const scope = new Scope();
let world: World;
let base: URL;
let operations: readonly Documented[];
let pointId: string;
let foreignRun: string;
let oneadmin: Somebody;
const people = new Map<string, Somebody>();

beforeAll(async () => {
  world = scope.use(await makeWorld({ disks: [{ sizeMiB: 2 }] }));
  ({ pointId } = await backupVm(world.deps(), world.backupRequest()));
  const directory = await mkdtemp(join(tmpdir(), 'onevault-nothing-foreign-'));
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  for (const role of ROLES) {
    const { userId, groupId } = await world.sim.control.createUser({ name: role, password: `${role}-password`, group: `group-of-${role}` });
    const { vmId } = await world.sim.control.createVm({ name: `own-of-${role}`, disks: [{ sizeMiB: 1 }] });
    await world.must('one.vm.chown', vmId, userId, groupId);
  }
  base = await serve(directory);
  oneadmin = await signIn(base, world.sim.user, world.sim.password);
  for (const role of ROLES) people.set(role, await signIn(base, role, `${role}-password`));
  await vi.waitFor(async () => expect((await ask(oneadmin, 'GET', '/vms')).text).toContain('own-of-admin'), { timeout: 30_000, interval: 100 });
  operations = documented((await send(base, '/api/v1/openapi.json')).json.paths);
  const begun = await ask(oneadmin, 'POST', '/runs', { kind: 'backup', vmId: world.vm, repository: 'main' });
  expect(begun.status, begun.text).toBe(202);
  foreignRun = begun.json.id;
}, 120_000);
afterAll(() => scope[Symbol.asyncDispose]());

/** The server as it is: every handler that there is, the embedded database, the simulator; no worker, so that runs wait. */
async function serve(directory: string): Promise<URL> {
  const state = await openStateDirectory(directory);
  const settings = await openSettings({ directory: state.settings, clock: systemClock, logger: silentLogger });
  const maintenance = { timezone: 'UTC', gc: undefined, verify: undefined, verifyMode: 'sample' } as const;
  await settings.putRepository({ name: 'main', place: world.repositoryPath, secretFile: undefined, maintenance });
  for (const role of ROLES) await settings.setRole(role, role);
  const auth = join(directory, 'one_auth');
  await mkdir(directory, { recursive: true });
  await writeFile(auth, `${world.sim.user}:${world.sim.password}`, { mode: 0o600 });
  const env = { ONE_AUTH: auth, ONE_XMLRPC: world.sim.endpoint.href };
  const database = scope.use(await openDatabase({ kind: 'embedded', directory: state.database }, { clock: systemClock }));
  const options = {
    role: 'api' as const,
    settings: testSettings(directory, { oneEnvironment: env }),
    env,
    databaseUrl: new Secret('not used'),
    http: { host: '127.0.0.1', port: 0 },
    worker: { name: 'none', slots: 1 },
    clock: systemClock,
    logger: silentLogger,
    version: '1.2.3',
    redactor: new Redactor(),
  };
  return scope.use(await startApiSide(options, database, state, {})).url;
}

function ask(who: Somebody, method: string, path: string, body?: unknown): Promise<RawReply> {
  return send(base, `/api/v1${path}`, { method, headers: who.headers, body });
}

/** Asked of everything that can be asked without changing anything. */
async function read(who: Somebody, ids: Ids): Promise<readonly { readonly operation: Documented; readonly reply: RawReply }[]> {
  const readable = operations.filter(({ method, operationId }) => method === 'get' && !['watch', 'doctor'].includes(operationId));
  const replies: { operation: Documented; reply: RawReply }[] = [];
  for (const operation of readable) {
    const reply = await send(base, pathOf(operation, ids), { headers: who.headers });
    replies.push({ operation, reply });
  }
  return replies;
}

const foreignIds = (): Ids => ({ vmId: `${world.vm}`, repository: 'main', pointId, runId: foreignRun, name: 'nightly', user: 'x', tokenId: 'x' });
const missingIds: Ids = { vmId: `${MISSING}`, repository: 'main', pointId: '20200101T000000Z-0000', runId: 'run-0', name: 'nightly', user: 'x', tokenId: 'x' };

describe('with every part of the server that there is', () => {
  it('the owner sees the VM, its restore point and its run', async () => {
    expect((await ask(oneadmin, 'GET', '/runs')).text).toContain(foreignRun);
    expect((await ask(oneadmin, 'GET', `/runs/${foreignRun}`)).text).toContain(`"${FOREIGN}"`);
  });

  it.each(ROLES)('a %s finds nothing of it in anything there is to read', async (role) => {
    const who = people.get(role) as Somebody;
    const leaks = (await read(who, missingIds)).filter(({ reply }) => [`"${FOREIGN}"`, pointId, foreignRun].some((mark) => reply.text.includes(mark)));
    // The audit log is an administrator's, and says what was done to what.
    expect(leaks.map(({ operation }) => operation.operationId)).toEqual(role === 'admin' ? ['readAudit'] : []);
    const { json } = await ask(who, 'GET', '/vms');
    expect(json.items.map(({ name }: { name: string }) => name)).toEqual([`own-of-${role}`]);
  });

  it.each(ROLES)('a %s who names it is told what is told of nothing', async (role) => {
    const who = people.get(role) as Somebody;
    const plain = ({ reply }: { readonly reply: RawReply }): object => ({ status: reply.status, json: { ...reply.json, requestId: '' } });
    const ofVm = ({ operation }: { readonly operation: Documented }): boolean => operation.objects.startsWith('vm-');
    const foreign = (await read(who, foreignIds())).filter(ofVm);
    const missing = (await read(who, missingIds)).filter(ofVm);
    expect(foreign.map(plain)).toEqual(missing.map(plain));
    expect(foreign.length).toBeGreaterThan(7);
    for (const { operation, reply } of foreign) expect([403, 404], operation.operationId).toContain(reply.status);
  });

  it('nobody begins or stops a run on it', async () => {
    for (const role of ['operator', 'admin']) {
      const who = people.get(role) as Somebody;
      expect((await ask(who, 'POST', '/runs', { kind: 'backup', vmId: world.vm, repository: 'main' })).status).toBe(404);
      expect((await ask(who, 'POST', '/runs', { kind: 'forget', repository: 'main', pointId })).status).toBe(404);
      expect((await ask(who, 'POST', `/runs/${foreignRun}/cancel`)).status).toBe(404);
      expect((await ask(who, 'PUT', `/repositories/main/points/${pointId}/hold`, { reason: 'mine now' })).status).toBe(404);
    }
    expect((await ask(oneadmin, 'GET', `/runs/${foreignRun}`)).json.state).toBe('queued');
  });
});
