import { expect, test } from 'vitest';
import { DATASTORE_TYPE, datastoreQuota, isOneError, isRunning, mayCreate, mayDo, quotaLeft, templateId, vmQuota } from '../../src/index.ts';
import { collect, imageDisks, type Lab } from '../lab.ts';

/** What is read, and that it agrees with itself. */
export function readingCases(lab: () => Lab): void {
  test('the version is three numbers', async () => {
    expect(await lab().api.version()).toMatch(/^\d+\.\d+\.\d+/);
  });

  test('the caller knows who it is, its groups and what it may still use', async () => {
    const me = await lab().api.whoAmI();
    expect(me.groupIds).toContain(me.gid);
    expect(await lab().api.user(me.id)).toMatchObject({ id: me.id, name: me.name, gid: me.gid });
    expect(await lab().api.group(me.gid)).toMatchObject({ id: me.gid, userIds: expect.arrayContaining([me.id]) });
    for (const quota of [...Object.values(vmQuota(me.quotas)), datastoreQuota(me.quotas, lab().imageDatastore).sizeMiB]) {
      expect(quota.used).toBeGreaterThanOrEqual(0);
      expect(quotaLeft(quota)).not.toBeNaN();
    }
  });

  test('a VM is read with its disks, its last host and its body', async () => {
    const { api, cloud } = lab();
    const vm = await api.vm(cloud.vm);
    expect(vm.id).toBe(cloud.vm);
    expect(isRunning(vm)).toBe(true);
    expect(vm.disks.length).toBe(vm.diskCount);
    expect(new Set(vm.disks.map((disk) => disk.diskId)).size).toBe(vm.disks.length);
    expect(vm.history.at(-1)?.hostName).toBe(vm.hostName);
    expect(vm.uuid).toMatch(/^[0-9a-f-]{36}$/i);
    expect(vm.xml).toMatch(/^<VM>.*<\/VM>$/s);
  });

  test('the pool lists every VM once, however it is paged, with what its own body says', async () => {
    const { api, cloud } = lab();
    const listed = await collect(api.vms());
    const ids = listed.map((vm) => vm.id);
    expect(ids).toEqual(expect.arrayContaining([cloud.vm, cloud.proxyVm]));
    expect(new Set(ids).size).toBe(ids.length);
    const pages = lab().connect({ pageSize: Math.max(2, Math.ceil(ids.length / 4)) });
    expect((await collect(pages.vms())).map((vm) => vm.id)).toEqual(expect.arrayContaining([cloud.vm, cloud.proxyVm]));
    const full = await api.vm(cloud.vm);
    expect(listed.find((vm) => vm.id === cloud.vm)).toMatchObject({
      name: full.name,
      uid: full.uid,
      hostName: full.hostName,
      deployId: full.deployId,
      diskCount: full.diskCount,
      diskSizeMiB: full.diskSizeMiB,
    });
  });

  test('a listing of full bodies has disks and snapshots as the VM’s own body', async () => {
    const { api, cloud } = lab();
    const full = await api.vm(cloud.vm);
    const listed = (await collect(api.fullVms())).find((vm) => vm.id === cloud.vm);
    expect(listed).toMatchObject({ uuid: full.uuid, disks: full.disks, snapshots: full.snapshots, permissions: full.permissions });
    expect(listed?.history.at(-1)).toEqual(full.history.at(-1));
  });

  test('the image of a disk is read by id and found in the pool', async () => {
    const { api, cloud } = lab();
    for (const disk of imageDisks(await api.vm(cloud.vm))) {
      const image = await api.image(disk.imageId);
      expect(image).toMatchObject({ id: disk.imageId, datastoreId: disk.datastoreId, persistent: disk.persistent });
      expect(image.vmIds).toContain(cloud.vm);
      expect((await collect(api.images())).map((other) => other.id)).toContain(disk.imageId);
    }
  });

  test('the datastore has drivers and room, and the host is listed with its hypervisor', async () => {
    const { api, cloud } = lab();
    const datastore = await api.datastore(lab().imageDatastore);
    expect(datastore).toMatchObject({ type: DATASTORE_TYPE.IMAGE, tmMad: expect.stringMatching(/./), clusterIds: expect.any(Array) });
    expect(datastore.availableMiB).toBeGreaterThan(0);
    expect((await api.datastores()).map((one) => one.id)).toContain(datastore.id);
    expect(await api.rawInfo('datastore', datastore.id)).toMatch(/^<DATASTORE>.*<\/DATASTORE>$/s);
    const vm = await api.vm(cloud.vm);
    const host = (await api.hosts()).find((one) => one.name === vm.hostName);
    expect(host).toMatchObject({ vmMad: vm.history.at(-1)?.vmMad, clusterId: vm.history.at(-1)?.clusterId });
    expect(host?.capacity.maxCpu).toBeGreaterThan(0);
  });

  test('what may be done with the VM is what its permissions and the access rules say', async () => {
    const { api, cloud, me } = lab();
    const rules = await api.aclRules().catch((error: unknown) => {
      if (isOneError(error, 'ONE_AUTHORIZATION')) return undefined;
      throw error;
    });
    const vm = await api.vm(cloud.vm);
    // The suite goes on to do all of it: a "no" would be wrong.
    expect(mayDo(me, 'manage', { ...vm, kind: 'VM' }, rules).may).not.toBe('no');
    for (const kind of ['IMAGE', 'TEMPLATE'] as const) expect(mayCreate(me, kind, rules).may).not.toBe('no');
  });

  test('the configuration has what images inherit', async () => {
    const configuration = await lab().api.configuration();
    expect(configuration['DEFAULT_DEVICE_PREFIX']).toMatch(/^[a-z]+$/);
  });

  test('the template a VM came from is read, if it is still there', async (context) => {
    const { api, cloud } = lab();
    const id = Number((await api.vm(cloud.vm)).template['TEMPLATE_ID'] ?? Number.NaN);
    const template = await api.template(templateId(id)).catch(() => undefined);
    if (!template) return lab().lacks(context, 'template of the VM');
    expect(template.template).toHaveProperty('MEMORY');
  });

  test('attributes that are encrypted are given in the clear to administrators only, and never printed', async () => {
    const { api, cloud } = lab();
    const body = await api.decryptedInfo('vm', cloud.vm);
    expect(String(body)).not.toContain('<VM>');
    expect(body.reveal()).toMatch(/^<VM>.*<\/VM>$/s);
  });
}
