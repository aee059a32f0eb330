import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DATASTORE_TYPE, diskId, IMAGE_STATE, IMAGE_TYPE, imageId, isRunning, type OneApi, snapshotId, templateId, vmId, vmTerminated } from '../src/index.ts';
import { collect, imageDisk, Lab, type OneApiFixture, refused, snapshotsOf } from './lab.ts';

const NOBODY = 2_000_000_000;
/** Unused by any VM that follows OpenNebula's own naming from `a` on. */
const FREE_TARGET = 'vdx';

/** The contract of `OneApi`, run against every implementation of the other side. Real time passes in it, so both sides must run on the system clock. */
export function oneApiContract(name: string, makeFixture: () => Promise<OneApiFixture>): void {
  describe(`OneApi contract: ${name}`, () => {
    let one: OneApiFixture;
    let lab: Lab;

    beforeAll(async () => {
      one = await makeFixture();
      lab = new Lab(one);
    }, 120_000);
    afterAll(async () => {
      await lab?.cleanUp();
      await one?.[Symbol.asyncDispose]();
    }, 600_000);

    const slow = { timeout: 900_000 };
    readingContract(() => one);
    refusalContract(() => one);
    captureContract(() => lab, slow);
    attachContract(() => lab, slow);
    imageContract(() => lab, slow);
    templateContract(() => lab, slow);
  });
}

function readingContract(one: () => OneApiFixture): void {
  test('version is three numbers', async () => {
    expect(await one().api.version()).toMatch(/^\d+\.\d+\.\d+/);
  });

  test('the caller knows who it is', async () => {
    const me = await one().api.whoAmI();
    expect(me.id).toBeGreaterThanOrEqual(0);
    expect(me.groupIds.length).toBeGreaterThan(0);
  });

  test('a VM is read with its disks, its last host and its body', async () => {
    const vm = await one().api.vm(one().vm);
    expect(vm.id).toBe(one().vm);
    expect(isRunning(vm)).toBe(true);
    expect(vm.disks.length).toBe(vm.diskCount);
    expect(new Set(vm.disks.map((disk) => disk.diskId)).size).toBe(vm.disks.length);
    expect(vm.history.at(-1)?.hostName).toBe(vm.hostName);
    expect(vm.xml).toMatch(/^<VM>.*<\/VM>$/s);
  });

  test('the pool lists every running VM once, the fixture among them', async () => {
    const ids = (await collect(one().api.vms())).map((vm) => vm.id);
    expect(ids).toContain(one().vm);
    expect(ids).toContain(one().proxyVm);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('a listing says of a VM what its own body says', async () => {
    const full = await one().api.vm(one().vm);
    const listed = (await collect(one().api.vms())).find((vm) => vm.id === one().vm);
    expect(listed).toMatchObject({ name: full.name, uid: full.uid, hostName: full.hostName, diskCount: full.diskCount, diskSizeMiB: full.diskSizeMiB });
  });

  test('the image of a disk is read by id and found in the pool', async () => {
    const disk = imageDisk(await one().api.vm(one().vm));
    const image = await one().api.image(disk.imageId);
    expect(image).toMatchObject({ id: disk.imageId, datastoreId: disk.datastoreId });
    expect(image.vmIds).toContain(one().vm);
    expect((await collect(one().api.images())).map((other) => other.id)).toContain(disk.imageId);
  });

  test('datastores and hosts are listed', async () => {
    const datastores = await one().api.datastores();
    expect(datastores.find((datastore) => datastore.id === one().imageDatastore)?.type).toBe(DATASTORE_TYPE.IMAGE);
    const hosts = await one().api.hosts();
    expect(hosts.map((host) => host.name)).toContain((await one().api.vm(one().vm)).hostName);
  });

  test('the body of a datastore comes as XML', async () => {
    expect(await one().api.rawInfo('datastore', one().imageDatastore)).toMatch(/^<DATASTORE>.*<\/DATASTORE>$/s);
  });
}

function refusalContract(one: () => OneApiFixture): void {
  test('a wrong secret is refused', async () => {
    await refused(one().stranger.vm(one().vm), 'ONE_AUTHENTICATION');
    await refused(one().stranger.whoAmI(), 'ONE_AUTHENTICATION');
  });

  test.each<readonly [string, (api: OneApi) => Promise<unknown>]>([
    ['VM', (api) => api.vm(vmId(NOBODY))],
    ['image', (api) => api.image(imageId(NOBODY))],
    ['template', (api) => api.template(templateId(NOBODY))],
    ['VM to snapshot', (api) => api.createDiskSnapshot(vmId(NOBODY), diskId(0), 'x')],
    ['VM to attach to', (api) => api.attachDisk(vmId(NOBODY), { IMAGE_ID: '0' })],
    ['VM to act on', (api) => api.vmAction(vmId(NOBODY), 'suspend')],
    ['image to delete', (api) => api.deleteImage(imageId(NOBODY))],
    ['template to instantiate', (api) => api.instantiateTemplate(templateId(NOBODY), 'x')],
    ['template to delete', (api) => api.deleteTemplate(templateId(NOBODY))],
  ])('an unknown %s does not exist', async (_what, act) => {
    await refused(act(one().api), 'ONE_NO_EXISTS');
  });

  test('a volatile disk takes no snapshot', async () => {
    const vm = await one().api.vm(one().vm);
    const volatile = vm.disks.find((disk) => disk.imageId === undefined);
    if (!volatile) throw new Error('the fixture has no volatile disk');
    await refused(one().api.createDiskSnapshot(vm.id, volatile.diskId, 'x'), 'ONE_ACTION');
    await refused(one().api.saveDiskAs(vm.id, volatile.diskId, 'x', undefined), 'ONE_INTERNAL');
  });

  test('a disk that is not there takes no snapshot and is not detached', async () => {
    await refused(one().api.createDiskSnapshot(one().vm, diskId(99), 'x'), 'ONE_ACTION');
    await refused(one().api.detachDisk(one().vm, diskId(99)), 'ONE_ACTION');
  });

  test('a running VM neither resumes nor reverts a disk', async () => {
    const disk = imageDisk(await one().api.vm(one().vm));
    await refused(one().api.vmAction(one().vm, 'resume'), 'ONE_ACTION');
    await refused(one().api.revertDiskSnapshot(one().vm, disk.diskId, snapshotId(0)), 'ONE_ACTION');
  });

  test('a snapshot that is not there is not deleted', async () => {
    const disk = imageDisk(await one().api.vm(one().vm));
    await refused(one().api.deleteDiskSnapshot(one().vm, disk.diskId, snapshotId(4711)), 'ONE_ACTION');
  });
}

function captureContract(lab: () => Lab, slow: { readonly timeout: number }): void {
  test('a snapshot appears under the id the call returned, can be saved as an image, and disappears', slow, async () => {
    const { api, vm: id } = lab().one;
    const disk = imageDisk(await lab().settle(id, 'the VM to be idle'));
    const snapshot = await api.createDiskSnapshot(id, disk.diskId, lab().name('snapshot'));
    const taken = await lab().settle(id, 'the snapshot to be taken');
    const listed = snapshotsOf(taken, disk).find((one) => one.id === snapshot);
    expect(listed).toMatchObject({ name: lab().name('snapshot'), sizeMiB: disk.sizeMiB });

    const saved = await api.saveDiskAs(id, disk.diskId, lab().name('saved'), snapshot);
    lab().own(saved);
    await lab().settle(id, 'the disk to be saved');
    const image = await lab().untilReady(saved);
    expect(image).toMatchObject({ name: lab().name('saved'), sizeMiB: disk.sizeMiB, datastoreId: disk.datastoreId, persistent: false, runningVms: 0 });

    await refused(api.saveDiskAs(id, disk.diskId, lab().name('saved'), snapshot), 'ONE_ALLOCATE');
    await lab().settle(id, 'the refused call to be over');

    await api.deleteDiskSnapshot(id, disk.diskId, snapshot);
    const after = await lab().settle(id, 'the snapshot to be deleted');
    expect(snapshotsOf(after, disk).map((one) => one.id)).not.toContain(snapshot);
  });

  test('while an operation runs every other one is refused', slow, async () => {
    const { api, vm: id } = lab().one;
    const disk = imageDisk(await lab().settle(id, 'the VM to be idle'));
    const snapshot = await api.createDiskSnapshot(id, disk.diskId, lab().name('busy'));
    const second = await api.createDiskSnapshot(id, disk.diskId, lab().name('busy-2')).catch((error: unknown) => error);
    await lab().settle(id, 'the snapshot to be taken');
    await api.deleteDiskSnapshot(id, disk.diskId, snapshot);
    await lab().settle(id, 'the snapshot to be deleted');
    expect(second).toMatchObject({ code: 'ONE_ACTION', details: { oneCode: 2048 } });
  });
}

function attachContract(lab: () => Lab, slow: { readonly timeout: number }): void {
  test('an image is attached with its serial and target, is in use meanwhile, and comes back free', slow, async () => {
    const { api, proxyVm } = lab().one;
    const image = await lab().datablock('attached');
    const serial = 'ov-contract-0001';
    const before = await api.vm(proxyVm);
    await api.attachDisk(proxyVm, { IMAGE_ID: String(image), DEV_PREFIX: 'vd', TARGET: FREE_TARGET, SERIAL: serial });
    const attached = await lab().settle(proxyVm, 'the disk to be attached');
    const disk = attached.disks.find((one) => one.imageId === image);
    expect(disk).toMatchObject({ target: FREE_TARGET, serial, imageId: image });
    expect(attached.disks.length).toBe(before.disks.length + 1);

    expect((await api.image(image)).vmIds).toContain(proxyVm);
    await refused(api.deleteImage(image), 'ONE_ACTION');
    const other = await lab().datablock('other');
    await refused(api.attachDisk(proxyVm, { IMAGE_ID: String(other), DEV_PREFIX: 'vd', TARGET: FREE_TARGET }), 'ONE_ACTION');

    if (disk) await api.detachDisk(proxyVm, disk.diskId);
    const detached = await lab().settle(proxyVm, 'the disk to be detached');
    expect(detached.disks.map((one) => one.imageId)).not.toContain(image);
    expect((await lab().untilReady(image)).vmIds).not.toContain(proxyVm);
  });

  test('an image that does not exist is not attached', slow, async () => {
    const { api, proxyVm } = lab().one;
    await refused(api.attachDisk(proxyVm, { IMAGE_ID: String(NOBODY) }), 'ONE_ACTION');
    await lab().settle(proxyVm, 'the refused call to be over');
  });
}

function imageContract(lab: () => Lab, slow: { readonly timeout: number }): void {
  test('a data block of the size asked for becomes READY and takes the persistent flag', slow, async () => {
    const { api, imageDatastore } = lab().one;
    const id = await lab().datablock('block', 3);
    expect(await api.image(id)).toMatchObject({ sizeMiB: 3, type: IMAGE_TYPE.DATABLOCK, state: IMAGE_STATE.READY, datastoreId: imageDatastore });
    await api.setImagePersistent(id, true);
    expect((await api.image(id)).persistent).toBe(true);
    await api.setImagePersistent(id, false);
    expect((await api.image(id)).persistent).toBe(false);
  });

  test('a name can be taken only once', slow, async () => {
    const { api, imageDatastore } = lab().one;
    await lab().datablock('twice');
    await refused(api.allocateImage({ NAME: lab().name('twice'), TYPE: 'DATABLOCK', SIZE: '1' }, imageDatastore), 'ONE_ALLOCATE');
  });

  test('an image without a size is refused', slow, async () => {
    await refused(lab().one.api.allocateImage({ NAME: lab().name('sizeless'), TYPE: 'DATABLOCK' }, lab().one.imageDatastore), 'ONE_INTERNAL');
  });

  test('a deleted image stops existing', slow, async () => {
    const { api } = lab().one;
    const id = await lab().datablock('deleted');
    await api.deleteImage(id);
    await lab().untilGone(id);
    await refused(api.image(id), 'ONE_NO_EXISTS');
  });
}

function templateContract(lab: () => Lab, slow: { readonly timeout: number }): void {
  test('a template is kept, instantiated on hold, terminated and deleted', slow, async () => {
    const { api } = lab().one;
    const name = lab().name('template');
    const id = await api.allocateTemplate(`NAME="${name}"\nCPU="0.1"\nMEMORY="32"\nNOTE="a \\"quoted\\" word, C:\\dir"`);
    lab().ownTemplate(id);
    expect(await api.template(id)).toMatchObject({ id, name });
    expect((await collect(api.templates())).map((one) => one.id)).toContain(id);
    await refused(api.allocateTemplate(`NAME="${name}"\nCPU="0.1"\nMEMORY="32"`), 'ONE_ALLOCATE');

    const vm = await api.instantiateTemplate(id, lab().name('vm'), { hold: true });
    lab().ownVm(vm);
    const held = await api.vm(vm);
    expect(held.name).toBe(lab().name('vm'));
    expect(held.userTemplate['NOTE']).toBe('a "quoted" word, C:\\dir');
    await api.updateVm(vm, { ONEVAULT_CONTRACT: 'yes' });
    const updated = await api.vm(vm);
    expect(updated.userTemplate).toMatchObject({ ONEVAULT_CONTRACT: 'yes', NOTE: held.userTemplate['NOTE'] });

    await api.vmAction(vm, 'terminate-hard');
    await api.waitForVm(vm, vmTerminated, { timeoutMs: lab().one.operationTimeoutMs, what: 'the VM to be DONE' });
    await api.deleteTemplate(id);
    await refused(api.template(id), 'ONE_NO_EXISTS');
  });
}
