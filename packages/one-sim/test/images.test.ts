import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTestSimulator, type TestSimulator } from '../testing/index.ts';

let one: TestSimulator;
beforeEach(async () => {
  one = await startTestSimulator({ proxy: false });
});
afterEach(() => one[Symbol.asyncDispose]());

async function allocate(template: string, datastore = 100): Promise<number> {
  const id = Number(await one.must('one.image.allocate', template, datastore, false));
  await one.sim.control.idle();
  return id;
}
const image = async (id: number) => (await one.sim.control.state()).images.find((candidate) => candidate.id === id);

describe('allocation', () => {
  test('is LOCKED until the datastore driver is done, then READY with a sparse file of the size', async () => {
    await one.sim.control.hold(['allocate']);
    const id = Number(await one.must('one.image.allocate', 'NAME="a"\nSIZE="64"', 100, false));
    expect((await image(id))?.stateText).toBe('LOCKED');
    await one.sim.control.release();
    await one.sim.control.idle();
    expect((await image(id))?.stateText).toBe('READY');
    const { size, blocks } = await stat(await one.sim.control.imagePath(id));
    expect(size).toBe(64 * 2 ** 20);
    expect(blocks).toBeLessThan(64);
  });

  test('of a file copies its bytes and rounds its size up to whole MiB', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'onevault-file-'));
    const bytes = Buffer.alloc(2 ** 20 + 512, 7);
    await writeFile(join(dir, 'disk.raw'), bytes);
    const id = await allocate(`NAME="file"\nPATH="${join(dir, 'disk.raw')}"`);
    expect(await image(id)).toMatchObject({ sizeMiB: 2, stateText: 'READY' });
    expect((await readFile(await one.sim.control.imagePath(id))).equals(bytes)).toBe(true);
    await rm(dir, { recursive: true });
  });

  test.each([
    ['no size', 'NAME="a"', 8192, 'Cannot parse image SIZE: Wrong number or missing SIZE attribute.'],
    ['a size that is no number', 'NAME="a"\nSIZE="big"', 8192, 'Cannot parse image SIZE: Wrong number or missing SIZE attribute.'],
    ['no name', 'SIZE="1"', 16384, 'Error allocating a new image. Invalid NAME, it cannot be empty'],
    ['a colon in the name', 'NAME="a:b"\nSIZE="1"', 16384, "Error allocating a new image. Invalid NAME, char ':' is not allowed"],
    ['a long name', `NAME="${'x'.repeat(129)}"\nSIZE="1"`, 16384, 'Error allocating a new image. Invalid NAME, max length is 128 chars'],
    ['an unreadable template', 'NAME="a', 8192, 'Parse error: syntax error, unterminated string at line 1'],
  ])('with %s is refused', async (_what, template, code, text) => {
    expect(await one.call('one.image.allocate', template, 100, false)).toMatchObject({ code, value: `[one.image.allocate] ${text}` });
  });

  test('in a system datastore or one that does not exist is refused', async () => {
    expect(await one.call('one.image.allocate', 'NAME="a"\nSIZE="1"', 0, false)).toMatchObject({
      code: 16384,
      value: '[one.image.allocate] Error allocating a new image. New images can only be allocated in a files or image datastore.',
    });
    expect(await one.call('one.image.allocate', 'NAME="a"\nSIZE="1"', 999, false)).toMatchObject({
      code: 1024,
      value: '[one.image.allocate] Error getting datastore [999].',
    });
  });

  test('looks at the virtual size; an admin may skip the check', async () => {
    await one.sim.control.setDatastoreFree(100, 5);
    expect(await one.call('one.image.allocate', 'NAME="a"\nSIZE="6"', 100, false)).toMatchObject({
      code: 2048,
      value: '[one.image.allocate] Not enough space in datastore',
    });
    expect((await one.call('one.image.allocate', 'NAME="a"\nSIZE="6"', 100, true)).ok).toBe(true);
  });

  test('the datastore forces its format; without one FORMAT counts, and raw is the default', async () => {
    const format = async (template: string, datastore: number): Promise<string | undefined> =>
      /<FORMAT><!\[CDATA\[(\w+)\]\]>/.exec(await one.must('one.image.info', await allocate(template, datastore)))?.[1];
    expect(await format('NAME="a"\nSIZE="1"\nFORMAT="raw"', 100)).toBe('qcow2');
    expect(await format('NAME="b"\nSIZE="1"\nFORMAT="qcow2"', 1)).toBe('qcow2');
    expect(await format('NAME="c"\nSIZE="1"', 1)).toBe('raw');
  });

  test('that fails ends in ERROR with the reason in the image', async () => {
    await one.sim.control.inject({ fault: 'driver', operation: 'image-create', text: 'no space left' });
    const id = await allocate('NAME="a"\nSIZE="1"');
    expect((await image(id))?.stateText).toBe('ERROR');
    expect(await one.must('one.image.info', id)).toMatch(
      /<ERROR><!\[CDATA\[\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} : Error creating datablock: no space left\]\]>/,
    );
  });
});

describe('deletion', () => {
  test('goes through DELETE, then the image does not exist and its file is gone', async () => {
    const id = await allocate('NAME="a"\nSIZE="1"');
    const path = await one.sim.control.imagePath(id);
    await one.sim.control.hold(['delete']);
    await one.must('one.image.delete', id, false);
    expect(await one.must('one.image.info', id)).toContain('<STATE>7</STATE>');
    await one.sim.control.release();
    await one.sim.control.idle();
    expect(await one.call('one.image.info', id)).toMatchObject({ code: 1024, value: `[one.image.info] Error getting image [${id}].`, objectId: id });
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  test('that fails ends in ERROR; force drops the image all the same', async () => {
    const id = await allocate('NAME="a"\nSIZE="1"');
    for (const force of [false, true]) {
      await one.sim.control.inject({ fault: 'driver', operation: 'image-delete' });
      await one.must('one.image.delete', id, force);
      await one.sim.control.idle();
      expect((await image(id))?.stateText).toBe(force ? undefined : 'ERROR');
    }
  });

  test('of a LOCKED image needs force, and gives the VM that is saving into it back at once', async () => {
    const { vmId } = await one.sim.control.createVm({ name: 'vm', disks: [{ sizeMiB: 1 }] });
    await one.sim.control.hold(['saveas']);
    const id = Number(await one.must('one.vm.disksaveas', vmId, 0, 'x', '', -1));
    expect(await one.call('one.image.delete', id, false)).toMatchObject({
      code: 8192,
      value: '[one.image.delete] Image locked, use --force flag to remove the image. Force delete may leave some files on Datastore',
    });
    await one.must('one.image.delete', id, true);
    expect((await one.sim.control.state()).vms.find((vm) => vm.id === vmId)?.stateText).toBe('RUNNING');
    await one.sim.control.release();
    await one.sim.control.idle();
    expect(await image(id)).toBeUndefined();
    expect((await one.sim.control.state()).vms.find((vm) => vm.id === vmId)?.stateText).toBe('RUNNING');
  });
});

test('a saved image keeps TARGET and DEV_PREFIX of its source, so that attaching it without a TARGET collides', async () => {
  const source = await allocate('NAME="s"\nSIZE="1"\nTARGET="vda"\nDEV_PREFIX="vd"');
  const template = await one.must('one.template.allocate', `NAME="t"\nCPU="1"\nMEMORY="32"\nDISK=[IMAGE_ID="${source}"]`);
  const vm = Number(await one.must('one.template.instantiate', Number(template), 'vm', false, '', false));
  await one.sim.control.idle();
  const saved = await one.must('one.vm.disksaveas', vm, 0, 'saved', '', -1);
  await one.sim.control.idle();
  expect(await one.call('one.vm.attach', vm, `DISK=[IMAGE_ID="${saved}"]`)).toMatchObject({ value: '[one.vm.attach] Target vda is already in use.' });
  expect((await image(Number(saved)))?.stateText).toBe('READY'); // released again
});

test.each([
  ['LOCKED', 'Cannot acquire image 1, it is locked'],
  ['ERROR', 'Cannot acquire image 1, it is in state: ERROR'],
  ['DISABLED', 'Cannot acquire image 1, it is in state: DISABLED'],
  ['USED_PERS', 'Cannot acquire image 1, it is persistent and already in use'],
])('an image in state %s is not attached', async (state, text) => {
  const { vmId } = await one.sim.control.createVm({ name: 'vm', disks: [{ sizeMiB: 1 }] });
  if (state === 'LOCKED') await one.sim.control.hold(['allocate']);
  if (state === 'ERROR') await one.sim.control.inject({ fault: 'driver', operation: 'image-create' });
  await one.must('one.image.allocate', 'NAME="a"\nSIZE="1"\nPERSISTENT="YES"', 100, false);
  if (state !== 'LOCKED') await one.sim.control.idle();
  if (state === 'DISABLED') await one.must('one.image.enable', 1, false);
  if (state === 'USED_PERS') {
    await one.must('one.vm.attach', vmId, 'DISK=[IMAGE_ID="1"]');
    await one.sim.control.idle();
  }
  expect(await one.call('one.vm.attach', vmId, 'DISK=[IMAGE_ID="1"]')).toMatchObject({ code: 2048, value: `[one.vm.attach] ${text}` });
});

test('a clone is a copy; the source, when persistent, is in CLONE meanwhile and is not deleted', async () => {
  const id = await allocate('NAME="a"\nSIZE="1"\nPERSISTENT="YES"');
  await one.sim.control.hold(['clone']);
  const copy = Number(await one.must('one.image.clone', id, 'b', -1));
  expect([(await image(id))?.stateText, (await image(copy))?.stateText]).toEqual(['CLONE', 'LOCKED']);
  expect(await one.call('one.image.delete', id, false)).toMatchObject({
    value: '[one.image.delete] Cannot delete image. There are 1 active clone operations.',
  });
  await one.sim.control.release();
  await one.sim.control.idle();
  expect([(await image(id))?.stateText, (await image(copy))?.stateText]).toEqual(['READY', 'READY']);
});

test('an image with snapshots stays persistent', async () => {
  const { vmId, imageIds } = await one.sim.control.createVm({ name: 'vm', disks: [{ sizeMiB: 1, persistent: true }] });
  await one.must('one.vm.disksnapshotcreate', vmId, 0, 's');
  await one.sim.control.idle();
  await one.must('one.vm.action', 'terminate-hard', vmId);
  await one.sim.control.idle();
  expect(await one.call('one.image.persistent', imageIds[0] ?? -1, false)).toMatchObject({
    code: 8192,
    value: '[one.image.persistent] Could not make image non-persistent: Image has snapshots.',
  });
});
