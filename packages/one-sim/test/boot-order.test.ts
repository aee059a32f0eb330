import { expect, it } from 'vitest';
import { lab } from './lab.ts';

/** set_boot_order and updateconf of VirtualMachine.cc. */
it('knows the boot order by DISK_ID, which a disk that was detached and attached again does not keep', async () => {
  await using one = await lab({ datastore: 100, disks: 2 });
  const body = async () => String(await one.must('one.vm.info', one.vm));
  const order = async (): Promise<string[]> =>
    [...(await body()).matchAll(/<DISK>(.*?)<\/DISK>/gs)].map(([, disk = '']) => `${textOf(disk, 'TARGET')} ${textOf(disk, 'ORDER') ?? '-'}`);
  await one.must('one.vm.updateconf', one.vm, 'OS=[BOOT="disk1,disk0"]', 1);
  expect(await order()).toEqual(['vda 2', 'vdb 1']);
  expect(textOf(await body(), 'UUID')).toBeDefined(); // merged, the rest of OS stays

  await one.act('poweroff-hard');
  const image = (await one.look()).vm.disks.find(({ diskId }) => diskId === 1)?.imageId ?? -1;
  await one.must('one.vm.detach', one.vm, 1);
  await one.sim.control.idle();
  await one.must('one.vm.attach', one.vm, `DISK=[IMAGE_ID="${image}",TARGET="hdc"]`); // an IDE bus takes no hot-plug, a VM that stands does
  await one.sim.control.idle();
  const attached = (await one.look()).vm.disks.find(({ target }) => target === 'hdc');
  expect(attached?.diskId).toBeGreaterThan(1);
  expect(await one.call('one.vm.updateconf', one.vm, 'FEATURES=[ACPI="YES"]', 1)).toMatchObject({
    code: 8192,
    value: expect.stringContaining('Wrong OS/BOOT value. Device with DISK_ID 1 not found'),
  });
  await one.must('one.vm.updateconf', one.vm, `OS=[BOOT="disk${attached?.diskId},disk0"]`, 1);
  expect(await order()).toEqual(['vda 2', 'hdc 1']);
  expect(await one.call('one.vm.updateconf', one.vm, 'OS=[BOOT="hd"]', 1)).toMatchObject({ code: 8192 });
});

it('refuses to update the configuration of a SUSPENDED VM', async () => {
  await using one = await lab({ datastore: 100 });
  await one.act('suspend');
  expect(await one.call('one.vm.updateconf', one.vm, 'OS=[BOOT="disk0"]', 1)).toMatchObject({
    code: 8192,
    value: expect.stringContaining('configuration cannot be updated in state SUSPENDED'),
  });
});

function textOf(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>(?:<!\\[CDATA\\[)?(.*?)(?:\\]\\]>)?</${name}>`).exec(xml)?.[1];
}
