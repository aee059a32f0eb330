import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callXml, postXml, startTestSimulator, type TestSimulator } from '../testing/index.ts';

const VMS = 5000;
const IMAGES = 20_000;
const CHANGE_LIMIT_BYTES = 200_000;

describe('a cloud of 5 000 VMs and 20 000 images', () => {
  let dir: string;
  let one: TestSimulator;
  let vms: readonly number[];
  let unused: number;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'onevault-population-'));
    one = await startTestSimulator({ dir });
    const made = await one.sim.control.populate({
      vms: VMS,
      images: IMAGES,
      backupImages: 10,
      withFiles: 2,
      owners: ['oneadmin', 'alice'],
      datastores: [100, 1],
    });
    vms = made.vmIds;
    unused = made.imageIds[IMAGES - 1] ?? -1;
  }, 60_000);
  afterAll(async () => {
    await one.sim.stop();
    await rm(dir, { recursive: true, force: true });
  });

  const stateBytes = async (): Promise<number> => (await stat(join(dir, 'state.json'))).size;

  /** As it came over the wire: reading that much XML is no part of this test. */
  const raw = (session: string, method: string, ...params: (string | number)[]): Promise<string> =>
    postXml(one.sim.endpoint, callXml(method, [session, ...params]));

  test('has what was asked for, the same each time', async () => {
    const text = await raw('oneadmin:onevault', 'one.vmpool.info', -2, -1, -1, -2, '');
    expect(text.match(/&lt;VM&gt;&lt;ID&gt;/g)).toHaveLength(VMS + 1);
    expect(text).toContain('&lt;NAME&gt;load-vm-04999&lt;/NAME&gt;');
    const alice = await raw('alice:alice-password', 'one.vmpool.info', -2, -1, -1, -2, '');
    expect(alice.match(/&lt;VM&gt;&lt;ID&gt;/g)).toHaveLength(VMS / 2);
    const page = await one.must('one.imagepool.info', -2, 0, -100);
    expect(page.match(/<IMAGE><ID>/g)).toHaveLength(100);
    expect(page).toContain('<TYPE>6</TYPE>');
  });

  test('writes at a change what was touched, not the whole cloud', async () => {
    await one.must('one.vm.info', 3000);
    for (const [method, ...params] of [
      ['one.vm.disksnapshotcreate', vms[0] ?? -1, 0, 's'],
      ['one.vm.disksaveas', vms[0] ?? -1, 0, 'copy', '', 0],
      ['one.image.delete', unused, true],
    ] as const) {
      await one.must(method, ...params);
      await one.sim.control.idle();
    }
    expect(await stateBytes()).toBeLessThan(CHANGE_LIMIT_BYTES);
    expect(await one.sim.control.unexpectedErrors()).toEqual([]);
  });

  test('comes back after a restart with what was changed and without what was deleted', async () => {
    const before = await one.must('one.vm.info', vms[0] ?? -1);
    const images = (await one.sim.control.state()).images.length;
    await one.sim.stop();
    one = await startTestSimulator({ dir });
    expect(await one.must('one.vm.info', vms[0] ?? -1)).toBe(before);
    expect(before).toContain('<NAME><![CDATA[s]]></NAME>');
    expect((await one.sim.control.state()).images.length).toBe(images);
    expect((await one.call('one.image.info', unused)).code).toBe(1024);
    expect(await stateBytes()).toBeLessThan(CHANGE_LIMIT_BYTES);
  });

  test('can be added to; a name twice and too few images are refused', async () => {
    await expect(one.sim.control.populate({ vms: 1, images: 2 })).rejects.toMatchObject({ code: 'SIM_CONTROL_REFUSED' });
    await expect(one.sim.control.populate({ vms: 2, images: 3, prefix: 'few' })).rejects.toMatchObject({ code: 'SIM_CONTROL_REFUSED' });
    await one.sim.control.populate({ vms: 1, images: 2, prefix: 'more' });
    const names = JSON.parse(await readFile(join(dir, 'state.json'), 'utf8')).rest.name;
    expect(names).toMatch(/^rest-\d+\.json$/);
    expect((await one.must('one.vmpool.info', -2, 0, -2, -2, '')).includes('more-vm-00000')).toBe(true);
  });
});
