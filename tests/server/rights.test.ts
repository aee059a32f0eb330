import { type Clock, silentLogger, systemClock } from '@onevault/base';
import { callXml, parseAnswer, postXml } from '@onevault/one-sim/testing';
import { CloudInventory } from '@onevault/server';
import { type AccessWorld, makeAccessWorld, runRecord, type Somebody, sampleHandlers, send, signIn } from '@onevault/server/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let world: AccessWorld;
let base: URL;
let inventory: CloudInventory;
let foreignVm: number;

let aheadMs = 0;
const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
const password = (name: string): string => `${name}-secret-password`;

beforeAll(async () => {
  world = await makeAccessWorld({ clock, roles: { roles: {}, defaultRole: 'operator' } });
  inventory = new CloudInventory({ cloud: world.cloud, clock, logger: silentLogger, proxies: async () => new Set(), former: async () => [] });
  foreignVm = await makeVm('of-oneadmin', 0, 0);
  const objects = {
    inventory,
    catalog: { get: async (_repository: string, id: string) => ({ vmId: Number(id.slice(2)) }) },
    runs: { get: async (id: string) => runRecord({ id, vmId: Number(id.slice(4)) }) },
  };
  base = (await world.serve(objects as never, sampleHandlers())).url;
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

async function makeVm(name: string, userId: number, groupId: number): Promise<number> {
  const { vmId } = await world.sim.control.createVm({ name, disks: [{ sizeMiB: 1 }] });
  await world.must('one.vm.chown', vmId, userId, groupId);
  await lookAgain();
  return vmId;
}

/** A minute passes, with which everything is read from OpenNebula again. */
async function lookAgain(): Promise<void> {
  aheadMs += 60_001;
  await inventory.refresh();
}

describe('rights of OpenNebula', () => {
  const status = async (who: Somebody, method: string, path: string, body?: unknown): Promise<number> =>
    (await send(base, `/api/v1${path}`, { method, headers: who.headers, body })).status;

  async function newcomer(
    name: string,
    group: string,
    rules: readonly string[] = [],
  ): Promise<Somebody & { readonly userId: number; readonly groupId: number }> {
    const ids = await world.sim.control.createUser({ name, password: password(name), group, rules: [...rules] });
    await lookAgain();
    return { ...(await signIn(base, name, password(name))), ...ids };
  }

  it('by a rule to USE lets somebody see a VM and not act on it, and says so', async () => {
    const user = await newcomer('by-rule', 'rule-group', [`VM/#${foreignVm} USE`]);
    expect(await status(user, 'GET', `/vms/${foreignVm}`)).toBe(200);
    expect(await status(user, 'GET', `/runs/run-${foreignVm}`)).toBe(200);
    expect(await status(user, 'POST', '/runs', { kind: 'backup', vmId: foreignVm, repository: 'main' })).toBe(403);
    expect(await status(user, 'PUT', `/repositories/main/points/p-${foreignVm}/tags`, { tags: [] })).toBe(403);
  });

  it('of a group are those of its members', async () => {
    const owner = await newcomer('owner', 'team');
    const user = await newcomer('colleague', 'team');
    const teamVm = await makeVm('of-the-team', owner.userId, owner.groupId);
    expect(await status(user, 'GET', `/vms/${teamVm}`)).toBe(404);
    await world.must('one.vm.chmod', teamVm, -1, -1, -1, 1, 1, -1, -1, -1, -1);
    await lookAgain();
    expect(await status(user, 'POST', '/runs', { kind: 'undo', vmId: teamVm })).toBe(202);
  });

  it('to a login token of one group are those of that group', async () => {
    const user = await newcomer('scoped', 'oneadmin');
    expect(await status(user, 'GET', `/vms/${foreignVm}`)).toBe(200);
    const egid = await world.sim.control.createUser({ name: 'only-a-group', password: 'x', group: 'small-group' });
    const token = parseAnswer(await postXml(world.sim.endpoint, callXml('one.user.login', [`scoped:${password('scoped')}`, 'scoped', '', 3600, egid.groupId])));
    expect(token.ok, token.value).toBe(true);
    await lookAgain();
    const scoped = await signIn(base, 'scoped', token.value);
    expect((await send(base, '/api/v1/session', { headers: scoped.headers })).json.groups).toEqual(['small-group']);
    expect(await status(scoped, 'GET', `/vms/${foreignVm}`)).toBe(404);
  });

  it('are needed of datastores and networks that a restore names, and to create what it makes', async () => {
    const poor = await newcomer('poor', 'poor-group');
    const vmId = await makeVm('vm-of-poor', poor.userId, poor.groupId);
    const restore = { kind: 'restore', repository: 'main', pointId: `p-${vmId}`, name: 'again' };
    expect(await status(poor, 'POST', '/runs', restore)).toBe(403);
    await world.sim.control.grant('poor', 'VM+IMAGE/* CREATE');
    await lookAgain();
    const start = (extra: object): ReturnType<typeof send> =>
      send(base, '/api/v1/runs', { method: 'POST', headers: poor.headers, body: { ...restore, ...extra } });
    expect((await start({})).status).toBe(202);
    const [foreign, missing] = [await start({ imageDatastore: 100 }), await start({ imageDatastore: 9_999 })];
    expect([foreign.status, missing.status]).toEqual([404, 404]);
    expect(foreign.json.detail.replace('100', 'N')).toBe(missing.json.detail.replace('9999', 'N'));
    expect((await start({ networks: { private: 'no-such-network' } })).status).toBe(404);
    // To give it away would be chown: an administrator's.
    for (const given of [{ owner: '0' }, { group: 'oneadmin' }, { asSaved: true }]) expect((await start(given)).status).toBe(403);
    expect((await start({ permissions: '640' })).status).toBe(202);
  });
});
