import { access, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@onevault/base';
import { bearer, bodyAs, type RawReply, type Somebody, signIn } from '@onevault/server/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Belongings, CANARY, makeTenants, PEOPLE, type Person, passwordOf, SPARE_POLICY, type Tenants } from '../support/tenants.ts';

let aheadMs = 0;
const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs };

let tenants: Tenants;
let victim: Belongings;
const people = new Map<Person, Somebody>();
const as = (person: Person): Somebody => people.get(person) as Somebody;
const own = (person: Person): Belongings => tenants.own.get(person) as Belongings;
interface Policy {
  readonly name: string;
  readonly matches: number;
  readonly document: { readonly select: object };
}

const code = ({ status, json }: RawReply): string => `${status} ${json?.code}`;

beforeAll(async () => {
  tenants = await makeTenants({ clock });
  ({ victim } = tenants);
  for (const name of PEOPLE) people.set(name, await signIn(tenants.base, name, passwordOf(name)));
}, 300_000);
afterAll(() => tenants?.[Symbol.asyncDispose]());

/** Everything that an act could have changed: runs, the cloud, marks in the repository, settings. */
async function stateOfAll(): Promise<object> {
  const { world, database, directory } = tenants;
  const runs = await database.db.selectFrom('onevault.run').select(['id', 'state', 'priority']).orderBy('id').execute();
  const { vms, images, templates } = await world.sim.control.state();
  const marks: unknown[] = [];
  for await (const mark of world.repository.marks.list()) marks.push(mark);
  const settings = (await tenants.ask(tenants.oneadmin, 'GET', '/settings')).text;
  return { runs, vms, images, templates, marks, settings, secrets: await readdir(join(directory, 'secrets')).catch(() => []) };
}

/** Asks, and answers how it went; throws when a refusal left anything behind. */
async function refused(acts: readonly (() => Promise<RawReply>)[]): Promise<readonly string[]> {
  const before = await stateOfAll();
  const answers: string[] = [];
  for (const act of acts) answers.push(code(await act()));
  expect(await stateOfAll()).toEqual(before);
  return answers;
}

describe('an act on what is somebody else’s', () => {
  it('of every kind is answered like one on nothing, and nothing happens', async () => {
    const { vmId, pointId } = victim;
    const ofPoint = { repository: 'main', pointId };
    const requests = [
      { kind: 'backup', vmId, repository: 'main' },
      { kind: 'backup', vmId, repository: 'main', policy: `${CANARY}-policy` },
      { kind: 'restore', ...ofPoint, name: 'mine-now' },
      { kind: 'restore-in-place', ...ofPoint },
      { kind: 'undo', vmId },
      { kind: 'snapshot-create', vmId, name: 'mine' },
      { kind: 'snapshot-revert', vmId, set: '0:0' },
      { kind: 'snapshot-delete', vmId, set: '0:0' },
      { kind: 'drill', ...ofPoint },
      { kind: 'forget', ...ofPoint },
    ];
    for (const person of ['operator', 'admin'] as const) {
      const start = requests.map((request) => () => tenants.ask(as(person), 'POST', '/runs', request));
      const point = `/repositories/main/points/${pointId}`;
      const others = [
        () => tenants.ask(as(person), 'PUT', `${point}/hold`, { reason: 'mine' }),
        () => tenants.ask(as(person), 'DELETE', `${point}/hold`),
        () => tenants.ask(as(person), 'PUT', `${point}/tags`, { tags: ['mine'] }),
        () => tenants.ask(as(person), 'POST', `/runs/${victim.runId}/cancel`),
      ];
      expect(new Set(await refused([...start, ...others])), person).toEqual(new Set(['404 SERVER_NOT_FOUND']));
    }
  });

  it('is not helped by somebody else’s Idempotency-Key, nor by their run’s number', async () => {
    const body = { kind: 'snapshot-create', vmId: own('operator').vmId, name: 'own' };
    const key = { 'idempotency-key': 'k-of-the-operator' };
    const first = await tenants.ask(as('operator'), 'POST', '/runs', body, key);
    expect(first.status, first.text).toBe(202);
    expect(await refused([() => tenants.ask(as('admin'), 'POST', '/runs', body, key)])).toEqual(['404 SERVER_NOT_FOUND']);
    const other = { kind: 'snapshot-create', vmId: own('admin').vmId, name: 'own' };
    const second = await tenants.ask(as('admin'), 'POST', '/runs', other, key);
    expect([second.status, second.headers['idempotency-replayed']]).toEqual([202, undefined]);
    expect(second.json.id).not.toBe(first.json.id);
  });

  it('by a policy goes to nobody’s VM but those that the administrator’s policy selects', async () => {
    const { vmId } = own('operator');
    const backup = (policy: string) => tenants.ask(as('operator'), 'POST', '/runs', { kind: 'backup', vmId, repository: 'main', policy });
    expect(await refused([() => backup(`${CANARY}-policy`), () => backup('no-such-policy')])).toEqual(['404 SERVER_NOT_FOUND', '404 SERVER_NOT_FOUND']);
    expect(code(await backup('spare'))).toBe('202 undefined');
  });

  it('finds no restore under another’s name in the answer, and no page of theirs behind a forged cursor', async () => {
    const { pointId } = own('operator');
    const preview = (name: string) => tenants.ask(as('operator'), 'POST', '/restore-previews', { kind: 'restore', repository: 'main', pointId, name });
    const [taken, free] = [await preview(`${CANARY}-vm`), await preview('free-of-charge')];
    const unnamed = (text: string): string => text.replaceAll(`${CANARY}-vm`, 'N').replaceAll('free-of-charge', 'N');
    expect([taken.status, unnamed(taken.text)]).toEqual([free.status, unnamed(free.text)]);
    const forged = (position: readonly unknown[]): string => Buffer.from(JSON.stringify(position)).toString('base64url');
    for (const path of [
      `/runs?cursor=${forged([new Date(Date.now() + 1e9).toISOString(), victim.runId])}`,
      `/vms?cursor=${forged(['', victim.vmId - 1])}`,
      `/vms?search=owner%3D${CANARY}-owner`,
      `/vms?search=label%3D${CANARY}-*`,
      `/runs?vmId=${victim.vmId}`,
      `/runs?policy=${CANARY}-policy`,
      `/vms/${own('viewer').vmId}/points?cursor=${forged([new Date(Date.now() + 1e9).toISOString(), victim.pointId])}`,
      `/repositories/main/drills?vmId=${victim.vmId}`,
      `/policies/${CANARY}-policy/calendar`,
    ]) {
      const reply = await tenants.ask(as('viewer'), 'GET', path);
      expect([200, 400, 404], path).toContain(reply.status);
      expect(reply.text, path).not.toContain(reply.status === 200 ? CANARY : `${CANARY}-vm`);
      if (reply.status === 200 && path.startsWith('/runs'))
        expect(bodyAs<{ readonly items: readonly { readonly vmName: string }[] }>(reply).items.map((run) => run.vmName)).not.toContain(`${CANARY}-vm`);
    }
  });
});

describe('what administrators decide', () => {
  it('no operator decides: neither commands on workers, nor addresses that the server calls, nor places it opens, nor roles', async () => {
    const place = await mkdtemp(join(tmpdir(), 'onevault-refused-'));
    const commands = { before: { command: ['/bin/sh', '-c', `touch ${place}/ran`] } };
    const yaml = `notifications:\n- {name: mine, kind: webhook, url: 'http://169.254.169.254/', on: [failed]}\n`;
    try {
      for (const person of ['viewer', 'operator'] as const) {
        const ask = (method: string, path: string, body?: unknown) => () => tenants.ask(as(person), method, path, body);
        const answers = await refused([
          ask('PUT', '/policies/spare', { ...SPARE_POLICY, commands }),
          ask('PUT', '/policies/mine', { ...SPARE_POLICY, name: 'mine', select: { include: ['*'] } }),
          ask('DELETE', '/policies/spare'),
          ask('PUT', '/repositories/mine', { place: `${place}/made`, create: true }),
          ask('PUT', '/repositories/main', { place: '/etc', create: false }),
          ask('DELETE', '/repositories/spare'),
          ask('POST', '/settings', { yaml, dryRun: false }),
          ask('POST', '/settings', { yaml: `roles: {users: {${person}: admin}}`, dryRun: false }),
          ask('POST', '/notification-tests', { channel: 'mine' }),
          ask('PUT', `/users/${person}/role`, { role: 'admin' }),
          ask('POST', '/tokens', { name: 'more', role: 'admin', expiresAt: new Date(Date.now() + 60_000).toISOString() }),
          ...['verify', 'gc'].map((kind) => ask('POST', '/runs', { kind, repository: 'main' })),
          ask('POST', '/runs', { kind: 'retention', repository: 'main', policy: 'spare' }),
          ask('POST', '/runs', { kind: 'recover' }),
        ]);
        expect(new Set(answers), person).toEqual(new Set(['403 SERVER_FORBIDDEN']));
      }
      expect(await readdir(place)).toEqual([]);
      // A preview of such a policy is only looked at.
      const preview = await tenants.ask(as('viewer'), 'POST', '/policy-previews', { ...SPARE_POLICY, commands });
      expect([preview.status, await readdir(place)]).toEqual([200, []]);
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  });

  it('a policy is seen by who has a VM in it, as what it means for that VM', async () => {
    const seen = bodyAs<readonly Policy[]>(await tenants.ask(as('viewer'), 'GET', '/policies'));
    expect(seen.map(({ name, matches, document }) => ({ name, matches, select: document.select }))).toEqual([
      { name: 'spare', matches: 1, select: { include: [`id=${own('viewer').vmId}`], exclude: [] } },
    ]);
    const all = bodyAs<readonly Policy[]>(await tenants.ask(tenants.oneadmin, 'GET', '/policies'));
    expect(all.map(({ name }) => name).sort()).toEqual([`${CANARY}-policy`, 'spare']);
  });

  it('a repository is opened before it is taken, where it is to be made it is, and what cannot be opened changes nothing', async () => {
    const { ask, oneadmin } = tenants;
    const place = await mkdtemp(join(tmpdir(), 'onevault-put-'));
    try {
      expect(code(await ask(oneadmin, 'PUT', '/repositories/third', { place, create: false }))).toBe('404 REPO_NOT_FOUND');
      expect(code(await ask(oneadmin, 'PUT', '/repositories/third', { place: `${place}/made`, secretFile: '../one_auth', create: true }))).toMatch(/^4/);
      await expect(access(`${place}/made/config.json`)).rejects.toThrow();
      const made = await ask(oneadmin, 'PUT', '/repositories/third', { place: `${place}/made`, create: true, maintenance: { gc: 'none' } });
      expect(made.json, made.text).toMatchObject({ name: 'third', reachable: true, points: 0, maintenance: { gc: 'none', verifyMode: 'sample' } });
      const kept = await ask(oneadmin, 'PUT', '/repositories/third', { place: `${place}/made`, create: false });
      expect(bodyAs<{ readonly maintenance: { readonly gc: string } }>(kept).maintenance.gc).toBe('none');
      expect(code(await ask(oneadmin, 'PUT', '/repositories/third', { place: '/proc/nothing', create: false }))).toBe('404 REPO_NOT_FOUND');
      const all = bodyAs<readonly { readonly name: string; readonly place: string }[]>(await ask(oneadmin, 'GET', '/repositories'));
      expect(all.find(({ name }) => name === 'third')?.place).toBe(`${place}/made`);
      expect(code(await ask(oneadmin, 'DELETE', '/repositories/main'))).toBe('409 SERVER_SETTINGS_CONFLICT');
      expect(code(await ask(oneadmin, 'DELETE', '/repositories/third'))).toBe('204 undefined');
      expect((await readdir(`${place}/made`)).length).toBeGreaterThan(0);
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  });
});

describe('holds and tags', () => {
  it('of a restore point are put, seen and taken away by who may MANAGE its VM', async () => {
    const { pointId } = own('operator');
    const path = `/repositories/main/points/${pointId}`;
    const ask = (method: string, more: string, body?: unknown) => tenants.ask(as('operator'), method, `${path}${more}`, body);
    const until = '2030-01-01T00:00:00.000Z';
    expect(code(await ask('PUT', '/hold', { reason: 'ticket 42', until }))).toBe('204 undefined');
    expect((await ask('GET', '')).json).toMatchObject({ held: { reason: 'ticket 42', until }, keptBy: expect.arrayContaining(['hold:ticket 42']) });
    expect(code(await ask('PUT', '/tags', { tags: ['a', 'b'] }))).toBe('204 undefined');
    expect(code(await ask('PUT', '/tags', { tags: ['b', 'c'] }))).toBe('204 undefined');
    expect((await ask('GET', '')).json.tags).toEqual(['b', 'c']);
    expect(code(await ask('DELETE', '/hold'))).toBe('204 undefined');
    expect(code(await ask('DELETE', '/hold'))).toBe('204 undefined');
    expect((await ask('GET', '')).json.held).toBeUndefined();
    for await (const mark of tenants.world.repository.marks.list({ pointId })) expect(mark).toMatchObject({ holds: [], tags: ['b', 'c'] });
  });

  it('that have no place in a repository are refused before they are written', async () => {
    const { pointId } = own('operator');
    const path = `/repositories/main/points/${pointId}`;
    const ask = (more: string, body: unknown) => () => tenants.ask(as('operator'), 'PUT', `${path}${more}`, body);
    const answers = await refused([
      ask('/tags', { tags: ['with space'] }),
      ask('/tags', { tags: ['../up'] }),
      ask('/tags', { tags: ['x'.repeat(65)] }),
      ask('/hold', { reason: '' }),
      ask('/hold', { reason: 'x', until: 'tomorrow' }),
      ask('/hold', { reason: 'red\u001b[31m\r\nforged: line' }),
    ]);
    expect(new Set(answers)).toEqual(new Set(['400 SERVER_REQUEST_INVALID']));
  });
});

describe('rights that are taken away', () => {
  it('end a token with the next minute: of a user who is disabled, and of one who lost the VM', async () => {
    const { world } = tenants;
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const { json } = await tenants.ask(as('viewer'), 'POST', '/tokens', { name: 'robot', role: 'viewer', expiresAt });
    const robot = bearer(json.secret);
    const path = `/vms/${own('viewer').vmId}`;
    expect((await tenants.ask(robot, 'GET', path)).status).toBe(200);
    const { userId } = (await tenants.ask(as('viewer'), 'GET', '/session')).json;
    await world.must('one.user.enable', userId, false);
    aheadMs += 60_001;
    expect(code(await tenants.ask(robot, 'GET', path))).toBe('401 SERVER_NOT_SIGNED_IN');
    expect(code(await tenants.ask(as('viewer'), 'GET', path))).toBe('401 SERVER_NOT_SIGNED_IN');
    await world.must('one.user.enable', userId, true);
    aheadMs += 60_001;
    expect((await tenants.ask(robot, 'GET', path)).status).toBe(200);
  });

  it('end sessions at once when a role changes, and a token has no more than is left to its owner', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const { json } = await tenants.ask(as('operator'), 'POST', '/tokens', { name: 'robot', role: 'operator', expiresAt });
    expect(code(await tenants.ask(tenants.oneadmin, 'PUT', '/users/operator/role', { role: 'viewer' }))).toBe('204 undefined');
    expect(code(await tenants.ask(as('operator'), 'GET', '/vms'))).toBe('401 SERVER_NOT_SIGNED_IN');
    const body = { kind: 'snapshot-create', vmId: own('operator').vmId, name: 'late' };
    expect(await refused([() => tenants.ask(bearer(json.secret), 'POST', '/runs', body)])).toEqual(['403 SERVER_FORBIDDEN']);
    expect((await tenants.ask(bearer(json.secret), 'GET', `/vms/${own('operator').vmId}`)).status).toBe(200);
  });
});
