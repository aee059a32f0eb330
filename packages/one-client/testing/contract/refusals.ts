import { expect, test } from 'vitest';
import { diskId, imageId, type OneApi, snapshotId, templateId, vmId } from '../../src/index.ts';
import { imageDisks, type Lab, refused } from '../lab.ts';

const NOBODY = 2_000_000_000;

/** Answers that end a run, or a try: each has the code that says what to do about it. */
export function refusalCases(lab: () => Lab): void {
  test('a wrong secret is refused', async () => {
    await refused(lab().stranger.vm(lab().cloud.vm), 'ONE_AUTHENTICATION');
    await refused(lab().stranger.whoAmI(), 'ONE_AUTHENTICATION');
  });

  test.each<readonly [string, (api: OneApi) => Promise<unknown>]>([
    ['VM', (api) => api.vm(vmId(NOBODY))],
    ['image', (api) => api.image(imageId(NOBODY))],
    ['template', (api) => api.template(templateId(NOBODY))],
    ['datastore', (api) => api.rawInfo('datastore', NOBODY)],
    ['network', (api) => api.rawInfo('vn', NOBODY)],
    ['VM to snapshot', (api) => api.createDiskSnapshot(vmId(NOBODY), diskId(0), 'x')],
    ['VM to save a disk of', (api) => api.saveDiskAs(vmId(NOBODY), diskId(0), 'x', undefined)],
    ['VM to attach to', (api) => api.attachDisk(vmId(NOBODY), { IMAGE_ID: '0' })],
    ['VM to act on', (api) => api.vmAction(vmId(NOBODY), 'suspend')],
    ['image to delete', (api) => api.deleteImage(imageId(NOBODY))],
    ['template to instantiate', (api) => api.instantiateTemplate(templateId(NOBODY), 'x')],
    ['template to delete', (api) => api.deleteTemplate(templateId(NOBODY))],
  ])('an unknown %s does not exist', async (_what, act) => {
    await refused(act(lab().api), 'ONE_NO_EXISTS');
  });

  test('a volatile disk takes no snapshot and is not saved', async (context) => {
    const { api, cloud } = lab();
    const vm = await api.vm(cloud.vm);
    const volatile = vm.disks.find((disk) => disk.imageId === undefined);
    if (!volatile) return lab().lacks(context, 'volatile disk in the VM');
    await refused(api.createDiskSnapshot(vm.id, volatile.diskId, lab().name('volatile')), 'ONE_ACTION');
    await refused(api.saveDiskAs(vm.id, volatile.diskId, lab().name('volatile'), undefined), 'ONE_INTERNAL');
    await lab().settle(vm.id, 'the refused calls to be over');
  });

  test('a disk or a snapshot that is not there is refused, and the VM is as before', async () => {
    const { api, cloud } = lab();
    const before = await api.vm(cloud.vm);
    const [disk] = imageDisks(before);
    await refused(api.createDiskSnapshot(cloud.vm, diskId(99), lab().name('nowhere')), 'ONE_ACTION');
    await refused(api.detachDisk(cloud.vm, diskId(99)), 'ONE_ACTION');
    await refused(api.saveDiskAs(cloud.vm, diskId(99), lab().name('nowhere'), undefined), 'ONE_INTERNAL');
    if (disk) {
      await refused(api.deleteDiskSnapshot(cloud.vm, disk.diskId, snapshotId(4711)), 'ONE_ACTION');
      await refused(api.saveDiskAs(cloud.vm, disk.diskId, lab().name('nowhere'), snapshotId(4711)), 'ONE_INTERNAL');
    }
    const after = await lab().settle(cloud.vm, 'the refused calls to be over');
    expect(after).toMatchObject({ disks: before.disks, snapshots: before.snapshots, error: before.error });
  });

  test('a running VM neither resumes nor reverts a disk', async () => {
    const { api, cloud } = lab();
    const [disk] = imageDisks(await api.vm(cloud.vm));
    await refused(api.vmAction(cloud.vm, 'resume'), 'ONE_ACTION');
    await refused(api.revertDiskSnapshot(cloud.vm, disk?.diskId ?? diskId(0), snapshotId(0)), 'ONE_ACTION');
  });
}
