import { expect, it } from 'vitest';
import { databaseSlots, slotKeyText } from '../../src/scheduler/handled-slots.ts';
import { openLab } from '../catalog/catalog-lab.ts';

it('slots that were dealt with are remembered in the database, by whoever was first', { timeout: 60_000 }, async () => {
  await using lab = await openLab();
  const slots = databaseSlots((await lab.openCatalog()).db);
  const key = { policy: 'nightly', schedule: '22:00 UTC auto' };
  await slots.remember(key, 1000, undefined);
  await slots.remember(key, 2000, undefined); // somebody who has not seen it
  expect(await slots.all()).toEqual(new Map([[slotKeyText(key), 1000]]));
  await slots.remember(key, 3000, 1000);
  await slots.remember(key, 2500, 1000);
  expect([...(await slots.all()).values()]).toEqual([3000]);
  await slots.remember({ ...key, schedule: 'daily UTC auto' }, 1, undefined);
  await slots.keepOnly(new Set([slotKeyText(key)]));
  expect([...(await slots.all()).keys()]).toEqual([slotKeyText(key)]);
});
