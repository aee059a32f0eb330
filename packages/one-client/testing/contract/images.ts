import { expect, test } from 'vitest';
import { datastoreId, datastoreQuota, IMAGE_STATE, IMAGE_TYPE, isCloudAdmin, mayDo } from '../../src/index.ts';
import { type Lab, refused } from '../lab.ts';

/** Images from their making to their end. */
export function imageCases(lab: () => Lab, slow: { readonly timeout: number }): void {
  test('a data block of the size asked for becomes READY, belongs to the caller, and takes attributes and the persistent flag', slow, async () => {
    const { api, imageDatastore, me } = lab();
    const id = await lab().datablock('block', 3);
    expect(await api.image(id)).toMatchObject({
      sizeMiB: 3,
      type: IMAGE_TYPE.DATABLOCK,
      state: IMAGE_STATE.READY,
      datastoreId: imageDatastore,
      uid: me.id,
      gid: me.gid,
      persistent: false,
      lock: undefined,
      vmIds: [],
    });
    await api.updateImage(id, { ONEVAULT_CONTRACT: 'a "quoted" word, C:\\dir' });
    expect((await api.image(id)).template).toMatchObject({ ONEVAULT_CONTRACT: 'a "quoted" word, C:\\dir' });
    await api.setImagePersistent(id, true);
    expect((await api.image(id)).persistent).toBe(true);
    await api.setImagePersistent(id, false);
    expect((await api.image(id)).persistent).toBe(false);
  });

  test('permissions and group are what they are set to, and nobody gets what is not there', slow, async () => {
    const { api, me } = lab();
    const id = await lab().datablock('owned', 1);
    const rw = { use: true, manage: true, admin: false };
    const permissions = { owner: rw, group: { ...rw, manage: false }, other: { use: false, manage: false, admin: false } };
    await api.chmodImage(id, permissions);
    expect((await api.image(id)).permissions).toEqual(permissions);
    await api.chownImage(id, { userId: me.id, groupId: me.gid });
    await api.chownImage(id, {});
    expect(await api.image(id)).toMatchObject({ uid: me.id, gid: me.gid });
    await refused(api.chownImage(id, { userId: 2_000_000_000 }), 'ONE_NO_EXISTS');
    await refused(api.chownImage(id, { groupId: 2_000_000_000 }), 'ONE_NO_EXISTS');
    expect((await api.users()).map(({ id: user, name }) => [user, name])).toContainEqual([me.id, me.name]);
    expect((await api.groups()).map(({ id: group }) => group)).toContain(me.gid);
  });

  test('a name can be taken only once, and not every character is one', slow, async () => {
    const { api, imageDatastore } = lab();
    await lab().datablock('twice');
    await refused(api.allocateImage({ NAME: lab().name('twice'), TYPE: 'DATABLOCK', SIZE: '1' }, imageDatastore), 'ONE_ALLOCATE');
    await refused(api.allocateImage({ NAME: lab().name('a:b'), TYPE: 'DATABLOCK', SIZE: '1' }, imageDatastore), 'ONE_ALLOCATE');
  });

  test('an image without a size, or in a datastore that is none, is refused', slow, async () => {
    const { api, imageDatastore } = lab();
    await refused(api.allocateImage({ NAME: lab().name('sizeless'), TYPE: 'DATABLOCK' }, imageDatastore), 'ONE_INTERNAL');
    const block = { NAME: lab().name('nowhere'), TYPE: 'DATABLOCK', SIZE: '1' };
    await refused(api.allocateImage(block, datastoreId(2_000_000_000)), 'ONE_NO_EXISTS');
  });

  test('an image larger than the datastore has room for is refused', slow, async (context) => {
    const { api, imageDatastore } = lab();
    const datastore = await api.datastore(imageDatastore);
    if (datastore.capacityCheck === false) return lab().lacks(context, 'check of the datastore’s capacity');
    const block = { NAME: lab().name('huge'), TYPE: 'DATABLOCK', SIZE: String(Math.max(datastore.totalMiB, datastore.availableMiB) + 1_000_000) };
    await refused(api.allocateImage(block, imageDatastore), 'ONE_ACTION');
  });

  test('an image counts to the quota of who made it', slow, async (context) => {
    const { api, imageDatastore, me } = lab();
    if (isCloudAdmin(me)) {
      // Nobody counts what the administrator uses.
      if (!lab().cloud.complete) context.skip('the caller is the cloud’s administrator');
      return;
    }
    const before = datastoreQuota((await api.whoAmI()).quotas, imageDatastore);
    await lab().datablock('counted', 2);
    const after = datastoreQuota((await api.whoAmI()).quotas, imageDatastore);
    expect(after.sizeMiB.used - before.sizeMiB.used).toBe(2);
    expect(after.images.used - before.images.used).toBe(1);
  });

  test('a locked image is read, and neither changed nor deleted, not even by who locked it', slow, async () => {
    const { api, me } = lab();
    const id = await lab().datablock('locked');
    await lab().raw('one.image.lock', id, 4, false);
    try {
      const image = await api.image(id);
      expect(image.lock).toMatchObject({ level: 1, ownerId: me.id });
      expect(mayDo(me, 'manage', { ...image, kind: 'IMAGE' }, [])).toEqual({ may: 'no', why: 'locked' });
      await refused(api.deleteImage(id), 'ONE_AUTHORIZATION', 'ONE_LOCKED');
      await refused(api.setImagePersistent(id, true), 'ONE_AUTHORIZATION', 'ONE_LOCKED');
      await refused(api.attachDisk(lab().cloud.proxyVm, { IMAGE_ID: String(id) }), 'ONE_AUTHORIZATION', 'ONE_LOCKED');
    } finally {
      await lab().raw('one.image.unlock', id);
    }
    expect((await api.image(id)).lock).toBeUndefined();
    await api.setImagePersistent(id, true);
  });

  test('a deleted image stops existing', slow, async () => {
    const { api } = lab();
    const id = await lab().datablock('deleted');
    await api.deleteImage(id);
    await lab().untilGone(id);
    await refused(api.image(id), 'ONE_NO_EXISTS');
  });
}
