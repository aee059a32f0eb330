import { type Clock, Secret, silentLogger, systemClock } from '@onevault/base';
import { createOneClient, mayDo, type OneApi } from '@onevault/one-client';
import { NO_TIME, startTestSimulator, type TestSimulator } from '@onevault/one-sim/testing';
import { groupOf } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CloudInventory } from '../../src/inventory/cloud-inventory.ts';
import { formerVms } from '../../src/inventory/former-vms.ts';
import { databaseView } from '../../src/inventory/last-view.ts';
import type { InventoryVm } from '../../src/ports/inventory.ts';
import { addPoint, type CatalogLab, openLab } from '../catalog/catalog-lab.ts';

let simulator: TestSimulator;
let cloud: OneApi & AsyncDisposable;
let lab: CatalogLab;
let web: number;
let db: number;

beforeAll(async () => {
  simulator = await startTestSimulator({ times: NO_TIME, durable: false });
  const { sim } = simulator;
  cloud = createOneClient({ endpoint: sim.endpoint, session: new Secret(`${sim.user}:${sim.password}`), clock: systemClock });
  web = (await sim.control.createVm({ name: 'web', disks: [{ sizeMiB: 2 }], nics: [] })).vmId;
  db = (await sim.control.createVm({ name: 'db', disks: [{ sizeMiB: 2 }, { sizeMiB: 2 }], nics: [] })).vmId;
  await simulator.must('one.vm.update', web, 'LABELS="prod,Front End"\nBACKUP=gold\nNOTE=[A=1]', 1);
  await simulator.must('one.vm.chmod', db, 1, 1, 0, 0, 0, 0, 0, 0, 0);
  lab = await openLab();
}, 60_000);
afterAll(async () => {
  await cloud[Symbol.asyncDispose]();
  await simulator[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

function inventory(overrides: Partial<ConstructorParameters<typeof CloudInventory>[0]> = {}): CloudInventory {
  return new CloudInventory({ cloud, clock: stopsAtSleep.clock, logger: silentLogger, proxies: async () => new Set(), former: async () => [], ...overrides });
}

function ends(error: Error): never {
  throw error;
}

/** Looks as the server does, and keeps what it saw. */
async function looksOnce(seen: CloudInventory): Promise<void> {
  await seen.keepFresh({ signal: stopsAtSleep.signal() }).catch(() => undefined);
}
const EVERY_MS = 60_000;
/** A clock by which whoever has looked once is stopped. */
const stopsAtSleep = (() => {
  let over = new AbortController();
  const clock: Clock = {
    ...systemClock,
    sleep: async (ms, options) => {
      if (ms !== EVERY_MS) return systemClock.sleep(ms, options);
      over.abort();
    },
  };
  return {
    clock,
    signal: () => {
      over = new AbortController();
      return over.signal;
    },
  };
})();

describe('the inventory', () => {
  it('has every VM with the names of what it is on, and keeps the same object while nothing changes', async () => {
    const seen = inventory();
    expect(seen.vms()).toEqual([]);
    const told: number[] = [];
    using _listener = seen.onChange((vms) => told.push(vms.length));
    await Promise.all([seen.refresh(), seen.refresh()]);
    const before = seen.vms();
    expect(before.map(({ facts }) => facts.id)).toEqual([...before.map(({ facts }) => facts.id)].sort((a, b) => a - b));
    expect(seen.vm(web)).toMatchObject({
      exists: true,
      diskCount: 1,
      facts: {
        name: 'web',
        owner: 'oneadmin',
        labels: ['prod', 'Front End'],
        state: 'RUNNING',
        attributes: { BACKUP: 'gold' },
        datastores: [expect.any(String)],
      },
    });
    expect(seen.vm(web)?.facts.host).toMatch(/./);
    expect(seen.vm(web)?.facts.cluster).toMatch(/./);
    expect(seen.vm(web)?.facts.attributes).not.toHaveProperty('NOTE');
    await seen.refresh();
    expect(seen.vms()).toBe(before);
    await simulator.must('one.vm.update', web, 'BACKUP=silver', 1);
    await seen.refresh();
    expect(seen.vm(db)).toBe(before.find(({ facts }) => facts.id === db));
    expect(seen.vm(web)?.facts.attributes['BACKUP']).toBe('silver');
    expect(told).toHaveLength(2);
    expect(seen.refreshedAt).toBeInstanceOf(Date);
  });

  it('is what the process before saw, until OpenNebula has been read, and then the same where nothing has changed', async () => {
    const { db } = await lab.openCatalog();
    const first = inventory({ view: databaseView(db) });
    await looksOnce(first);
    const next = inventory({ view: databaseView(db) });
    await next.recall();
    expect(next).toMatchObject({ seenAt: first.refreshedAt, refreshedAt: undefined });
    const recalled = next.vms();
    expect(recalled).toEqual(first.vms());
    expect(recalled.length).toBeGreaterThanOrEqual(2);
    expect(next.groupOf(web)).toBe(first.groupOf(web));
    await next.refresh();
    expect(next.vms()).toBe(recalled);

    const empty = inventory({ view: databaseView(db), cloud: { ...cloud, hosts: async () => Promise.reject(new Error('away')) } as OneApi });
    await empty.recall();
    await expect(empty.refresh()).rejects.toThrow('away');
    expect(empty.vms()).toEqual(recalled);
    expect(empty.problem?.message).toBe('away');
  });

  it('that is kept has no VM that is gone from OpenNebula and from the repositories', async () => {
    const { db } = await lab.openCatalog();
    const { vmId } = await simulator.sim.control.createVm({ name: 'brief', disks: [], nics: [] });
    const seen = inventory({ view: databaseView(db) });
    await looksOnce(seen);
    expect((await databaseView(db).load())?.vms.map(({ vm }) => vm.facts.id)).toContain(vmId);
    await simulator.must('one.vm.action', 'terminate-hard', vmId);
    await simulator.sim.control.idle();
    await looksOnce(seen);
    expect((await databaseView(db).load())?.vms.map(({ vm }) => vm.facts.id)).not.toContain(vmId);
  });

  it('knows VMs that serve backups themselves: those of workers, of drills and of restores that are not done', async () => {
    const make = async (name: string, marks: string): Promise<number> => {
      const { vmId } = await simulator.sim.control.createVm({ name, disks: [], nics: [] });
      await simulator.must('one.vm.update', vmId, marks, 1);
      return vmId;
    };
    const drill = await make('drill', 'ONEVAULT_DRILL=p\nONEVAULT_STATE=RESTORING\nONEVAULT_NAME=drill');
    const unfinished = await make('unfinished', 'ONEVAULT_STATE=RESTORING\nONEVAULT_NAME=unfinished');
    const restored = await make('restored', 'ONEVAULT_STATE=RESTORED\nONEVAULT_NAME=restored');
    const copy = await make('copy', 'ONEVAULT_DRILL=p\nONEVAULT_STATE=RESTORING\nONEVAULT_NAME=drill');
    const proxies = new Set<number>();
    let isAway = false;
    const flaky = new Proxy(cloud, {
      get: (target, property, receiver) => (property === 'fullVms' && isAway ? () => ends(new Error('not now')) : Reflect.get(target, property, receiver)),
    });
    const seen = inventory({ proxies: async () => proxies, cloud: flaky });
    await seen.refresh();
    expect(await seen.hasNewProxy()).toBe(false);
    proxies.add(db);
    expect(await seen.hasNewProxy()).toBe(true);
    isAway = true;
    await expect(seen.refresh()).rejects.toThrow('not now');
    expect(await seen.hasNewProxy()).toBe(true); // a look that failed has seen nothing
    isAway = false;
    await seen.refresh();
    expect(await seen.hasNewProxy()).toBe(false);
    const servesAs = (id: number): string | undefined => seen.vm(id)?.facts.servesAs;
    expect([db, drill, unfinished, restored, copy, web].map(servesAs)).toEqual([
      'proxy VM of onevault',
      'VM of a drill',
      'VM that a restore is making',
      undefined,
      undefined,
      undefined,
    ]);
    for (const id of [drill, unfinished, restored, copy]) await simulator.must('one.vm.action', 'terminate-hard', id);
  });

  it('keeps the last view, and says why, while the cloud is away or too slow', async () => {
    let broken: 'no' | 'away' | 'slow' = 'no';
    const flaky = new Proxy(cloud, {
      get(target, property, receiver) {
        if (property === 'hosts' && broken === 'away') return () => Promise.reject(new Error('no route'));
        if (property === 'hosts' && broken === 'slow')
          return ({ signal }: { signal: AbortSignal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        return Reflect.get(target, property, receiver);
      },
    });
    const quick: Clock = { ...systemClock, sleep: (ms, options) => systemClock.sleep(broken === 'slow' ? ms / 10_000 : ms, options) };
    const seen = inventory({ cloud: flaky, clock: quick });
    await seen.refresh();
    const view = seen.vms();
    broken = 'away';
    await expect(seen.refresh()).rejects.toThrow('no route');
    expect(seen.vms()).toBe(view);
    expect(seen.problem).toMatchObject({ message: 'no route' });
    broken = 'slow';
    await expect(seen.refresh()).rejects.toThrow('takes too long');
    broken = 'no';
    await seen.refresh();
    expect(seen.problem).toBeUndefined();
  });

  it('does not take for gone what a listing has left out', async () => {
    let hidden = new Set<number>();
    const forgetful = new Proxy(cloud, {
      get(target, property, receiver) {
        if (property !== 'fullVms') return Reflect.get(target, property, receiver);
        return async function* () {
          for await (const vm of target.fullVms()) if (!hidden.has(vm.id)) yield vm;
        };
      },
    });
    const seen = inventory({ cloud: forgetful });
    await seen.refresh();
    hidden = new Set([web]);
    await seen.refresh();
    expect(seen.vm(web)).toMatchObject({ exists: true });
  });

  it('shows a VM that is gone as its newest restore point has it, to whom it belonged', async () => {
    const { vmId: short } = await simulator.sim.control.createVm({ name: 'short-lived', disks: [{ sizeMiB: 2 }], nics: [] });
    const body = await cloud.vm(short as never);
    const repository = await lab.repository('main');
    await addPoint(repository, { vmId: short, group: groupOf(body), capturedAt: '2026-11-02T00:00:00Z', vmXml: body.xml });
    await addPoint(repository, { vmId: 9999, capturedAt: '2026-11-02T00:00:00Z' }); // without a body
    const catalog = await lab.openCatalog();
    await catalog.refresh('main');
    const seen = inventory({ former: formerVms(catalog, silentLogger) });
    catalog.identify((id) => seen.groupOf(id));
    await seen.refresh();
    expect(seen.vm(short)).toMatchObject({ exists: true });
    expect(catalog.ofVm(short).count).toBe(1);
    await simulator.must('one.vm.action', 'terminate-hard', short);
    await expect.poll(async () => (await cloud.vm(short as never)).state, { timeout: 10_000 }).toBe(6);
    await seen.refresh();
    expect(seen.vm(short)).toMatchObject({
      exists: false,
      hostId: undefined,
      facts: { name: 'short-lived', owner: 'oneadmin', state: 'DONE' },
      owned: { uid: body.uid, gid: body.gid },
    });
    expect(catalog.ofVm(short).count).toBe(1);
    const orphan = seen.vm(9999) as InventoryVm;
    expect(orphan).toMatchObject({ exists: false, facts: { name: 'vm-9999' } });
    expect(mayDo({ id: 5, groupIds: [100] }, 'use', { ...orphan.owned, kind: 'VM', id: 9999 }, []).may).toBe('no');
    lab.away.add('main');
    const restarted = inventory({ former: formerVms(await lab.openCatalog(), silentLogger) });
    await restarted.refresh();
    expect(restarted.vm(short)).toMatchObject({ facts: { name: 'short-lived' } });
  });
});
