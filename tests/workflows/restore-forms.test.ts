import { errorCode } from '@onevault/base';
import { datastoreId, imageId, vmId } from '@onevault/one-client';
import { backupVm, DEFAULT_PATIENCE, type DevicePort, findOrphans, type RestoreRequest, recoverRuns, removeOrphans, restoreVm } from '@onevault/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectNoTrace, failureOf } from '../support/aftermath.ts';
import { interposed } from '../support/interposed.ts';
import { diskId, makeWorld, realDevices, type World } from '../support/world.ts';

describe('a restore to a new VM', () => {
  let world: World;
  let pointId = '';
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 2, persistent: true }, { sizeMiB: 1 }], volatileMiB: [1] });
    ({ pointId } = await backupVm(world.deps(), world.backupRequest()));
  });
  afterAll(() => world[Symbol.asyncDispose]());

  async function expectSameBytes(vm: number): Promise<void> {
    for (const disk of [0, 1]) expect((await world.diskBytes(vm, disk)).equals(await world.diskBytes(world.vm, disk)), `disk ${disk}`).toBe(true);
  }
  const restore = (request: Partial<RestoreRequest> = {}) => restoreVm(world.deps(), world.restoreRequest(pointId, request));
  const refusedWith = async (request: Partial<RestoreRequest>): Promise<string | undefined> => {
    const census = await world.census();
    const error = await failureOf(restore(request));
    expect(error).toMatchObject({ hint: expect.any(String) });
    await expectNoTrace(world, census);
    return errorCode(error);
  };

  it.each(['direct', 'saveas'] as const)('by %s gives the same bytes, and images persistent or not as they were', async (method) => {
    const { vmId: id, disks, residue } = await restore({ name: method, method });
    expect(residue).toEqual([]);
    await expectSameBytes(id);
    expect(disks.map((disk) => [disk.method, disk.persistent, disk.verified])).toEqual([
      [method, true, true],
      [method, false, true],
    ]);
    const images = await Promise.all(disks.map((disk) => world.cloud.image(imageId(disk.imageId))));
    expect(images.map((image) => image.persistent)).toEqual([true, false]);
    expect(images.map((image) => image.template['ONEVAULT_STATE'])).toEqual(['RESTORED', 'RESTORED']);
    expect(await world.leftovers()).toEqual([]);
  });

  it('puts each disk where it is wanted, keeps what its owner wrote on the image, and the VM where its system datastore is', async () => {
    const [disk] = (await world.cloud.vm(world.vm)).disks;
    await world.cloud.updateImage(imageId(disk?.imageId ?? -1), { DESCRIPTION: 'the "first" disk', LABELS: 'a,b', SAVED_NOTE: 'not that' });
    ({ pointId } = await backupVm(world.deps(), world.backupRequest()));
    const { disks, vmId: id } = await restore({
      name: 'placed',
      imageDatastore: datastoreId(108),
      imageDatastores: new Map([[0, datastoreId(100)]]),
      systemDatastore: datastoreId(109),
      persistent: false,
      method: 'saveas',
    });
    const images = await Promise.all(disks.map((one) => world.cloud.image(imageId(one.imageId))));
    expect(images.map((image) => [image.datastoreId, image.persistent])).toEqual([
      [100, false],
      [108, false],
    ]);
    expect(images[0]?.template).toMatchObject({ DESCRIPTION: 'the "first" disk', LABELS: 'a,b', DEV_PREFIX: disk?.devPrefix });
    expect(images[0]?.template).not.toHaveProperty('SAVED_NOTE');
    expect((await world.cloud.vm(vmId(id))).history.at(-1)?.datastoreId).toBe(109);
  });

  it('gives VM and images to whom they belonged, with the rights they had, or to whom is named', async () => {
    const { userId } = await world.sim.control.createUser({ name: 'anna', password: 'secret' });
    await world.cloud.chownVm(world.vm, { userId });
    const vm = await world.cloud.vm(world.vm);
    for (const disk of vm.disks) if (disk.imageId !== undefined) await world.cloud.chownImage(disk.imageId, { userId });
    ({ pointId } = await backupVm(world.deps(), world.backupRequest()));
    const saved = await restore({ name: 'as-saved', ownership: { asSaved: true } });
    expect(saved.notes.map(({ code }) => code)).not.toContain('OWNERSHIP_NOT_GIVEN');
    expect(await world.cloud.vm(vmId(saved.vmId))).toMatchObject({ uid: userId, permissions: vm.permissions });
    expect((await world.cloud.image(imageId(saved.disks[0]?.imageId ?? -1))).uid).toBe(userId);
    const named = await restore({ name: 'named', ownership: { groupId: 1, permissions: '640' } });
    expect(await world.cloud.vm(vmId(named.vmId))).toMatchObject({
      uid: 0,
      gid: 1,
      permissions: { owner: { use: true, manage: true, admin: false }, group: { use: true, manage: false }, other: { use: false } },
    });
  });

  it.each<[string, Partial<RestoreRequest>]>([
    ['JOB_OWNERSHIP_INVALID', { ownership: { userId: 4711 } }],
    ['JOB_OWNERSHIP_INVALID', { ownership: { permissions: '648' } }],
    ['JOB_DATASTORE_INVALID', { imageDatastore: datastoreId(101) }],
    ['JOB_DISK_UNKNOWN', { imageDatastores: new Map([[7, datastoreId(100)]]) }],
    ['JOB_NAME_INVALID', { name: 'a:b' }],
    ['JOB_NETWORK_INVALID', { networks: [{ from: 'nowhere', to: 0 }] }],
  ])('is refused with %s before anything is made: %j', async (code, request) => {
    expect(await refusedWith(request)).toBe(code);
  });

  it('is refused before anything is made when the name of one of its images is taken, for each method', async () => {
    await world.cloud.allocateImage({ NAME: 'taken-disk-1', TYPE: 'DATABLOCK', SIZE: '1' }, datastoreId(100));
    await world.sim.control.idle();
    for (const method of ['direct', 'saveas'] as const) expect(await refusedWith({ name: 'taken', method })).toBe('JOB_NAME_TAKEN');
  });

  it('makes excluded disks anew, empty, with the file system they were made with', async () => {
    const made = await world.cloud.allocateImage({ NAME: 'scratch', TYPE: 'DATABLOCK', SIZE: '1', FS: 'ext4' }, datastoreId(100));
    await world.sim.control.idle();
    await world.must('one.vm.attach', world.vm, `DISK=[IMAGE_ID="${made}"]`);
    await world.sim.control.idle();
    const attached = (await world.cloud.vm(world.vm)).disks.find((disk) => disk.imageId === made);
    const point = await backupVm(world.deps(), world.backupRequest({ excludeDisks: [diskId(attached?.diskId ?? -1)] }));
    const { vmId: id, notes } = await restoreVm(world.deps(), world.restoreRequest(point.pointId, { name: 'emptied' }));
    expect(notes.find(({ code }) => code === 'DISK_EMPTY')?.message).toContain('ext4');
    const again = (await world.cloud.vm(vmId(id))).disks.find((disk) => disk.imageName === `emptied-disk-${attached?.diskId}`);
    expect(again?.sizeMiB).toBe(1);
    expect((await world.cloud.image(imageId(again?.imageId ?? -1))).fileSystem).toBe('ext4');
    await world.must('one.vm.detach', world.vm, attached?.diskId ?? -1);
    await world.sim.control.idle();
  });

  it('writes disks at the same time when told to, with progress for each', async () => {
    let writing = 0;
    let bothWrite = (): void => undefined;
    const both = new Promise<void>((resolve) => {
      bothWrite = resolve;
    });
    /** The first block of each disk waits for the first block of the other. */
    const devices: DevicePort = {
      ...realDevices,
      async openWritable(path, options) {
        const device = await realDevices.openWritable(path, options);
        if (++writing === 2) bothWrite();
        await both;
        return device;
      },
    };
    const { vmId: id } = await restoreVm(world.deps({ devices }), world.restoreRequest(pointId, { name: 'parallel', parallelDisks: 2 }));
    await expectSameBytes(id);
    const progress = world.events.flatMap((event) => (event.type === 'disk.progress' && event.phase === 'write' ? [event.diskId] : []));
    expect([...new Set(progress)].sort()).toEqual([0, 1]);
    expect(await world.sim.control.unexpectedErrors()).toEqual([]);
  });

  describe('that fails and was told to leave what it made', () => {
    const broken = () => interposed(world.cloud, 'instantiateTemplate', 1, () => Promise.reject(new Error('on purpose')));

    it('keeps the images, takes away what served their making, and neither recover nor cleanup removes or forgets them', async () => {
      const census = await world.census();
      await failureOf(restoreVm(world.deps({ cloud: broken() }), world.restoreRequest(pointId, { keepOnFailure: true })));
      const names = ['web-restored-disk-0', 'web-restored-disk-1'];
      expect(await world.census()).toEqual({ ...census, images: [...census.images, ...names].sort() });
      expect(world.events.at(-1)).toMatchObject({
        type: 'run.finished',
        outcome: 'failed',
        residue: [],
        kept: names.map((name) => expect.stringContaining(name)),
      });
      expect(await world.unfinishedRuns()).toEqual([]);
      expect(await recoverRuns(world.deps())).toMatchObject({ runs: [], residue: [] });
      const found = await findOrphans(world.deps());
      expect(found.orphans).toEqual([]);
      expect(found.spared.map(({ why, object }) => [why.code, 'name' in object && object.name]).sort()).toEqual(names.map((name) => ['KEPT_ON_FAILURE', name]));
      await removeOrphans(world.deps(), found.orphans);
      expect((await world.census()).images).toEqual(expect.arrayContaining(names));
    });

    it('keeps nothing when nobody said so, or when it is cancelled', async () => {
      const census = await world.census();
      await failureOf(restoreVm(world.deps({ cloud: broken() }), world.restoreRequest(pointId, { name: 'gone' })));
      await expectNoTrace(world, census);
      const stop = new AbortController();
      const cloud = interposed(world.cloud, 'allocateTemplate', 1, async () => stop.abort());
      await failureOf(restoreVm(world.deps({ cloud }), world.restoreRequest(pointId, { name: 'gone', keepOnFailure: true }), { signal: stop.signal }));
      await expectNoTrace(world, census);
    });

    it('keeps a VM that never ran, too', async () => {
      const patience = { ...DEFAULT_PATIENCE, startMs: 2_000 };
      const request = world.restoreRequest(pointId, { name: 'stuck', keepOnFailure: true });
      const cloud = interposed(world.cloud, 'instantiateTemplate', 1, () => world.sim.control.hold(['deploy']));
      expect(errorCode(await failureOf(restoreVm(world.deps({ cloud, patience }), request)))).toBe('JOB_VM_NOT_STARTED');
      await world.sim.control.release();
      const { spared, orphans } = await findOrphans(world.deps());
      expect(spared.filter(({ why }) => why.code === 'KEPT_ON_FAILURE').map(({ object }) => 'name' in object && object.name)).toContain('stuck');
      expect(orphans).toEqual([]);
      expect((await world.census()).vms).toContain('stuck');
    });
  });
});
