import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requiresCommand, testWith } from '@onevault/base/testing';
import type { Call, InventoryVm } from '@onevault/server';
import { type AccessWorld, makeAccessWorld, runRecord, sampleHandlers } from '@onevault/server/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ran, runMain } from '../support/command-line.ts';
import { backupReport } from '../support/sample-events.ts';

const NOW = '2026-11-28T02:00:00.000Z';
const rights = { use: true, manage: true, admin: true };
const none = { use: false, manage: false, admin: false };

/** Of nobody but the administrators. */
const vm: InventoryVm = {
  facts: { id: 6, name: 'web', owner: 'oneadmin', group: 'oneadmin', labels: [], state: 'RUNNING', datastores: [], attributes: {} },
  owned: { uid: 0, gid: 0, permissions: { owner: rights, group: rights, other: none }, lock: undefined },
  clusterId: 0,
  hostId: 0,
  datastoreIds: [],
  diskCount: 1,
  exists: true,
};

const run = (state: string) => ({
  id: 'r-1',
  request: { kind: 'backup', vmId: 6, repository: 'main', mode: 'auto' },
  state,
  origin: { kind: 'token', name: 'ci' },
  queuedAt: NOW,
  attempt: 1,
  progress: [],
  warnings: [],
  residue: [],
  steps: [],
  report: { ...backupReport },
});

async function* events() {
  yield { id: '1', time: NOW, runId: 'r-1', type: 'run.started', data: { kind: 'backup', vmId: 6, vmName: 'web', runId: 'w-1' } };
}

let world: AccessWorld;
let directory: string;
const started: Call[] = [];

beforeAll(async () => {
  world = await makeAccessWorld({ roles: { roles: { bob: 'operator' }, defaultRole: 'viewer' } });
  await world.sim.control.createUser({ name: 'bob', password: 'secret' });
  directory = await mkdtemp(join(tmpdir(), 'onevault-remote-'));
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

async function serve(tls?: { readonly certFile: string; readonly keyFile: string }): Promise<URL> {
  const objects = {
    inventory: { vm: (id: number) => (id === 6 ? vm : undefined) },
    catalog: { get: async () => undefined },
    runs: { get: async (id: string) => runRecord({ id, vmId: 6 }) },
  };
  const handlers = {
    ...sampleHandlers(),
    listRepositories: async () => [{ name: 'main', place: '/backup', encrypted: false, reachable: true }],
    startRun: async (call: Call) => {
      started.push(call);
      return { id: 'r-1' };
    },
    watchRun: () => events(),
    getRun: async () => run('succeeded'),
    exportSettings: async () => ({ contentType: 'application/yaml', body: 'policies: []\n' }),
  };
  return (await world.serve(objects, handlers, tls && { tls })).url;
}

/** A shell of a user of OpenNebula. */
async function shellOf(url: URL, session: string): Promise<Record<string, string>> {
  const auth = join(directory, `auth-${session.split(':')[0]}`);
  await writeFile(auth, `${session}\n`, { mode: 0o600 });
  return { ONEVAULT_SERVER: url.href, ONE_AUTH: auth, ONE_XMLRPC: world.sim.endpoint.href };
}

async function withToken(env: Record<string, string>, role: string): Promise<Record<string, string>> {
  const made = await runMain(['token', 'create', `ci-${role}`, '--role', role, '--expires', '1d'], env);
  expect(made).toMatchObject({ exit: 0, err: expect.stringContaining(`token ci-${role}`) });
  return { ...env, ONEVAULT_TOKEN: made.out.trim() };
}

const codeOf = ({ exit, err }: Ran): object => ({ exit, code: (JSON.parse(err) as { code: string }).code });

describe('the command line and a real server', () => {
  it('go from ONE_AUTH to a token, a backup, and the audit log that names both', async () => {
    const env = await withToken(await shellOf(await serve(), `${world.sim.user}:${world.sim.password}`), 'admin');
    const { exit, out, err } = await runMain(['backup', '6'], env);
    expect({ exit, out }).toEqual({ exit: 0, out: expect.stringMatching(/^backup vm=6 name=web result=ok /) });
    expect(err).toContain('VM 6 web: backup, run w-1');
    expect(started.at(-1)).toMatchObject({ body: { kind: 'backup', vmId: 6, repository: 'main' }, caller: { kind: 'token', role: 'admin' } });
    expect(await runMain(['export', 'settings'], env)).toMatchObject({ exit: 0, out: 'policies: []\n' });
    const audit = await runMain(['audit', '--csv', '--no-header', '--list', 'ACTION,OUTCOME'], env);
    expect(audit.out.split('\n').filter((line) => /^(signIn|createToken|startRun|signOut|exportSettings),ok$/.test(line))).toEqual([
      'exportSettings,ok',
      'startRun,ok',
      'signOut,ok',
      'createToken,ok',
      'signIn,ok',
    ]);
    expect(await runMain(['audit', 'verify'], env)).toMatchObject({ exit: 0, out: expect.stringContaining('audit result=ok') });
    const list = await runMain(['token', 'list', '--csv', '--no-header', '--list', 'ID,NAME'], env);
    const [id = ''] = /^\S+(?=,ci-admin)/m.exec(list.out) ?? [];
    expect(await runMain(['token', 'delete', id], env)).toMatchObject({ exit: 0 });
    expect(codeOf(await runMain(['vm', 'list', '--json'], env))).toEqual({ exit: 21, code: 'SERVER_NOT_SIGNED_IN' });
  });

  it('keep a user to what their role and OpenNebula let them', async () => {
    const bob = await shellOf(await serve(), 'bob:secret');
    const env = await withToken(bob, 'operator');
    expect(codeOf(await runMain(['audit', '--json'], env))).toEqual({ exit: 21, code: 'SERVER_FORBIDDEN' });
    expect(codeOf(await runMain(['backup', '6', '--json'], env))).toEqual({ exit: 1, code: 'SERVER_NOT_FOUND' });
    expect(codeOf(await runMain(['token', 'create', 'more', '--role', 'admin', '--json'], bob))).toEqual({ exit: 21, code: 'SERVER_FORBIDDEN' });
    expect(
      codeOf(await runMain(['token', 'create', 'x', '--json'], { ...bob, ...(await shellOf(new URL(bob['ONEVAULT_SERVER'] ?? ''), 'bob:wrong')) })),
    ).toEqual({
      exit: 21,
      code: 'SERVER_SIGN_IN_FAILED',
    });
  });

  testWith([requiresCommand('openssl', 'openssl')], 'speak TLS with a certificate of one’s own, and with no other', async () => {
    const [certFile, keyFile] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
    await promisify(execFile)('openssl', ['req', '-x509', ...key, ...subject, '-keyout', keyFile, '-out', certFile]);
    const url = await serve({ certFile, keyFile });
    expect(url.protocol).toBe('https:');
    const env = await shellOf(url, `${world.sim.user}:${world.sim.password}`);
    expect(codeOf(await runMain(['token', 'create', 'x', '--json'], env))).toEqual({ exit: 21, code: 'API_UNREACHABLE' });
    const trusting = await withToken({ ...env, ONEVAULT_CA_FILE: certFile }, 'viewer');
    expect(await runMain(['run', 'list'], trusting)).toMatchObject({ exit: 0 });
  });
});
