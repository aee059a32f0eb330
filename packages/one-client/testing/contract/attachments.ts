import { expect, test } from 'vitest';
import { IMAGE_STATE, imageId } from '../../src/index.ts';
import { type Lab, refused } from '../lab.ts';

const NOBODY = imageId(2_000_000_000);
/** Unused by any VM that follows OpenNebula's own naming from `a` on, and one letter: two collide on 6.10 and 7.0. */
const FREE_TARGET = { vd: 'vdx', sd: 'sdx' } as const;

/** Disks attached to the proxy and taken from it again. The answer never says which DISK_ID it became. */
export function attachmentCases(lab: () => Lab, slow: { readonly timeout: number }): void {
  test.each(['vd', 'sd'] as const)('an image is attached as %s with its serial and target, is in use meanwhile, and comes back free', slow, async (prefix) => {
    const { api, cloud } = lab();
    const image = await lab().datablock(`attached-${prefix}`);
    const serial = `ov-contract-${prefix}-0001`;
    const before = await lab().settle(cloud.proxyVm, 'the proxy to be idle');
    await api.attachDisk(cloud.proxyVm, { IMAGE_ID: String(image), DEV_PREFIX: prefix, TARGET: FREE_TARGET[prefix], SERIAL: serial, READONLY: 'YES' });
    const attached = await lab().settle(cloud.proxyVm, 'the disk to be attached');
    const disk = attached.disks.find((one) => one.imageId === image);
    expect(disk).toMatchObject({ target: FREE_TARGET[prefix], devPrefix: prefix, serial, readonly: true, sizeMiB: 1 });
    expect(attached.disks.length).toBe(before.disks.length + 1);
    expect(attached.error).toBe(before.error);

    expect(await api.image(image)).toMatchObject({ state: IMAGE_STATE.USED, vmIds: [cloud.proxyVm] });
    await refused(api.deleteImage(image), 'ONE_ACTION');
    await refused(api.setImagePersistent(image, true), 'ONE_INTERNAL', 'ONE_ACTION');
    const other = await lab().datablock(`other-${prefix}`);
    await refused(api.attachDisk(cloud.proxyVm, { IMAGE_ID: String(other), DEV_PREFIX: prefix, TARGET: FREE_TARGET[prefix] }), 'ONE_ACTION');
    expect((await lab().settle(cloud.proxyVm, 'the refused call to be over')).disks.length).toBe(before.disks.length + 1);

    if (disk) await api.detachDisk(cloud.proxyVm, disk.diskId);
    const detached = await lab().settle(cloud.proxyVm, 'the disk to be detached');
    expect(detached.disks.map((one) => one.diskId)).toEqual(before.disks.map((one) => one.diskId));
    expect((await lab().untilReady(image)).vmIds).toEqual([]);
  });

  test('a persistent image is attached once at a time', slow, async () => {
    const { api, cloud } = lab();
    const image = await lab().datablock('persistent');
    await api.setImagePersistent(image, true);
    await api.attachDisk(cloud.proxyVm, { IMAGE_ID: String(image), DEV_PREFIX: 'vd', TARGET: FREE_TARGET.vd });
    const attached = await lab().settle(cloud.proxyVm, 'the disk to be attached');
    const disk = attached.disks.find((one) => one.imageId === image);
    expect(disk).toMatchObject({ persistent: true });
    expect(await api.image(image)).toMatchObject({ state: IMAGE_STATE.USED_PERS });
    await refused(api.attachDisk(cloud.proxyVm, { IMAGE_ID: String(image), DEV_PREFIX: 'sd', TARGET: FREE_TARGET.sd }), 'ONE_ACTION');
    await lab().settle(cloud.proxyVm, 'the refused call to be over');
    if (disk) await api.detachDisk(cloud.proxyVm, disk.diskId);
    await lab().settle(cloud.proxyVm, 'the disk to be detached');
    expect(await lab().untilReady(image)).toMatchObject({ persistent: true, vmIds: [] });
  });

  test('an image that does not exist is not attached', slow, async () => {
    const { api, cloud } = lab();
    const before = await api.vm(cloud.proxyVm);
    await refused(api.attachDisk(cloud.proxyVm, { IMAGE_ID: String(NOBODY) }), 'ONE_ACTION');
    const after = await lab().settle(cloud.proxyVm, 'the refused call to be over');
    expect(after.disks).toEqual(before.disks);
  });
}
