import type { OneApi } from '@onevault/one-client';
import { backupVm, previewRestore, type RestoreFinding, type RestoreRequest, restoreVm } from '@onevault/orchestrator';
import { faultyCloud } from '@onevault/orchestrator/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeWorld, type World } from '../support/world.ts';

/** Each check, on a cloud in which what it looks for is so. One backup serves all; what a case changes it changes back. */
describe('before a restore', () => {
  let world: World;
  let pointId: string;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 2 }, { sizeMiB: 1 }], volatileMiB: [2] });
    const { vmId } = await world.sim.control.createVm({
      name: 'checked',
      disks: [{ sizeMiB: 2 }],
      volatileMiB: [2],
      nics: ['lan'],
      extra: 'SCHED_REQUIREMENTS="ID=0"\n',
    });
    pointId = (await backupVm(world.deps(), world.backupRequest({ vmId: vmId as never }))).pointId;
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const request = (overrides: Partial<RestoreRequest> = {}): RestoreRequest => world.restoreRequest(pointId, { name: 'again', ...overrides });
  const findings = async (overrides: Partial<RestoreRequest> = {}, cloud: OneApi = world.cloud): Promise<readonly RestoreFinding[]> =>
    (await previewRestore(world.deps({ cloud }), request(overrides))).checks.findings;
  const errors = async (overrides: Partial<RestoreRequest> = {}, cloud?: OneApi): Promise<string[]> =>
    (await findings(overrides, cloud)).filter(({ severity }) => severity === 'error').map(({ code }) => code);

  it('a dry run makes no call that changes anything, and finds nothing wrong', async () => {
    const { api, calls } = faultyCloud(world.cloud);
    const before = await world.census();
    const preview = await previewRestore(world.deps({ cloud: api }), request());
    expect(calls).toEqual([]);
    expect(await world.census()).toEqual(before);
    expect(await world.unfinishedRuns()).toEqual([]);
    expect(preview.checks).toMatchObject({ verdict: 'possible' });
    expect(preview.objects.map(({ kind, name, sizeMiB, temporary }) => [kind, name, sizeMiB, temporary])).toEqual([
      ['image', 'again-disk-0', 2, false],
      ['template', 'of the run', undefined, true],
      ['vm', 'again', undefined, false],
    ]);
    expect(preview.questions).toEqual([{ question: 'uuid', answer: 'auto', choices: ['auto', 'keep', 'new'] }]);
  });

  it('an error stops the restore before its first call', async () => {
    await world.sim.control.setDatastoreFree(100, 1);
    const { api, calls } = faultyCloud(world.cloud);
    await expect(restoreVm(world.deps({ cloud: api }), request())).rejects.toMatchObject({ code: 'JOB_RESTORE_REFUSED', details: { codes: ['SPACE_IMAGE'] } });
    expect(calls).toEqual([]);
    expect(await world.unfinishedRuns()).toEqual([]);
    await world.sim.control.setDatastoreFree(100, 1_000_000);
  });

  it('no room in a system datastore', async () => {
    await world.sim.control.setDatastoreFree(101, 1);
    expect(await errors({ systemDatastore: 101 as never })).toEqual(['SPACE_SYSTEM']);
    await world.sim.control.setDatastoreFree(101, 1_000_000);
    expect(await errors({ systemDatastore: 101 as never })).toEqual([]);
  });

  it('a system datastore whose driver does not carry the images', async () => {
    expect(await errors({ systemDatastore: 105 as never })).toEqual(['SYSTEM_DATASTORE']);
    expect(await errors({ systemDatastore: 4711 as never })).toEqual(['SYSTEM_DATASTORE']);
  });

  it('an address that is in use, and a network that is not there', async () => {
    expect(await errors({ nics: 'keep' })).toEqual(['ADDRESS_TAKEN']);
    await expect(previewRestore(world.deps(), request({ networks: [{ from: 'lan', to: 99 }] }))).rejects.toMatchObject({ code: 'JOB_NETWORK_INVALID' });
    await expect(previewRestore(world.deps(), request({ networks: [{ from: 'wan', to: 0 }] }))).rejects.toMatchObject({ code: 'JOB_NETWORK_INVALID' });
    expect(await errors({ networks: [{ from: 'lan', to: 0 }] })).toEqual([]);
    const gone: OneApi = { ...world.cloud, network: () => world.cloud.network(99) };
    expect(await errors({}, gone)).toEqual(['NETWORK_GONE']);
    const renamed: OneApi = { ...world.cloud, network: async (id) => ({ ...(await world.cloud.network(id)), name: 'other' }) };
    expect(await errors({}, renamed)).toEqual(['NETWORK_CHANGED']);
    const full: OneApi = { ...world.cloud, network: async (id) => ({ ...(await world.cloud.network(id)), ranges: [] }) };
    expect(await errors({}, full)).toEqual(['NETWORK_FULL']);
  });

  it('no host with room, none that meets the requirement; in HOLD that is a warning', async () => {
    await world.sim.control.setHostCapacity(0, { cpu: 0 });
    expect(await errors()).toEqual(['CAPACITY']);
    expect(await errors({ hold: true })).toEqual([]);
    expect((await findings({ hold: true })).map(({ severity, code }) => `${severity} ${code}`)).toContain('warning CAPACITY');
    await world.sim.control.setHostCapacity(0, { cpu: 64, pinned: true });
    expect(await errors()).toEqual(['REQUIREMENTS_UNMET']);
    await world.sim.control.setHostCapacity(0, { pinned: false });
    expect(await errors({ attributes: { SCHED_REQUIREMENTS: 'CLUSTER_ID="77" | NAME="elsewhere"' } })).toEqual(['REQUIREMENTS_UNMET']);
    expect(await errors({ attributes: { SCHED_REQUIREMENTS: '!(NAME="node3") & HYPERVISOR="kv*"' } })).toEqual([]);
    expect(await errors({ attributes: { PCI: { VENDOR: '10de' } } })).toEqual(['CAPACITY']);
  });

  it('rights and quotas of a user that is no administrator', async () => {
    const poor: OneApi = { ...world.cloud, whoAmI: async () => ({ ...(await world.cloud.whoAmI()), id: 9, gid: 100, groupIds: [100] }) };
    expect(new Set(await errors({}, poor))).toContain('RIGHTS_CREATE_IMAGE');
    const me = await world.cloud.whoAmI();
    const row = { id: 100, clusterIds: [], used: { SIZE: 10, IMAGES: 1 }, limits: { SIZE: 11, IMAGES: 1 } };
    const limited: OneApi = { ...world.cloud, whoAmI: async () => ({ ...me, id: 5, quotas: { ...me.quotas, own: { ...me.quotas.own, datastore: [row] } } }) };
    expect(await errors({}, limited)).toEqual(['QUOTA', 'QUOTA']);
  });
});
