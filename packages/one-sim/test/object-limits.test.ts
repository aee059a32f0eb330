import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rawClient, startTestSimulator, type TestSimulator } from '../testing/index.ts';

let one: TestSimulator;
let alice: TestSimulator['call'];
let vm: number;
beforeAll(async () => {
  one = await startTestSimulator({ proxy: false });
  alice = rawClient(one.sim.endpoint, 'alice:alice-password');
  vm = (await one.sim.control.createVm({ name: 'a', disks: [{ sizeMiB: 1 }] })).vmId;
});
afterAll(() => one[Symbol.asyncDispose]());

const allocate = (name: string) => one.call('one.image.allocate', `NAME="${name}"\nSIZE="1"`, 100, false);

describe('names', () => {
  test('have 128 bytes at most and none of the characters OpenNebula forbids', async () => {
    expect((await allocate('n'.repeat(128))).ok).toBe(true);
    expect(await allocate('n'.repeat(129))).toMatchObject({
      code: 16384,
      value: '[one.image.allocate] Error allocating a new image. Invalid NAME, max length is 128 chars',
    });
    expect((await allocate('ä'.repeat(65))).value).toContain('max length is 128 chars');
    for (const bad of ['&', '|', ':', ';', '/', "'", '#', '{', '}', '$', '<', '>']) {
      expect((await allocate(`a${bad}b`)).value).toBe(`[one.image.allocate] Error allocating a new image. Invalid NAME, char '${bad}' is not allowed`);
    }
    expect(await one.call('one.template.allocate', 'CPU="1"')).toMatchObject({ code: 8192, value: '[one.template.allocate] Invalid NAME, it cannot be empty' });
  });

  test('are unique per owner, and a namesake stands in the way of a rename and of a new owner', async () => {
    const first = Number((await allocate('twin')).value);
    expect((await allocate('twin')).value).toContain(`NAME is already taken by IMAGE ${first}.`);
    expect((await alice('one.image.allocate', 'NAME="twin"\nSIZE="1"', 100, false)).ok).toBe(true);
    const other = Number((await allocate('other')).value);
    expect(await one.call('one.image.rename', other, 'twin')).toMatchObject({
      code: 2048,
      value: `[one.image.rename] image cannot be renamed to twin because it collides with image ${first}`,
    });
    expect(await one.call('one.image.chown', first, 2, -1)).toMatchObject({ code: 8192, value: expect.stringContaining('user [2] already owns image [') });
    await one.must('one.template.allocate', 'NAME="t"');
    expect(await one.call('one.template.allocate', 'NAME="t"')).toMatchObject({
      code: 8192,
      value: '[one.template.allocate] NAME is already taken by TEMPLATE 1.',
    });
    await one.sim.control.idle();
  });

  test('of snapshots may be anything and need not be unique', async () => {
    for (const name of ['a', 'a', '', 'x'.repeat(300), '<&>']) {
      await one.must('one.vm.disksnapshotcreate', vm, 0, name);
      await one.sim.control.idle();
    }
    expect((await one.sim.control.state()).vms.find((candidate) => candidate.id === vm)?.snapshots.map((snapshot) => snapshot.name)).toEqual([
      'a',
      'a',
      '',
      'x'.repeat(300),
      '<&>',
    ]);
  });
});

test('a VM has 256 sd disks and 4 hd disks at most', async () => {
  const volatile = (prefix: string, count: number): string => `DISK=[TYPE="swap",SIZE="1",DEV_PREFIX="${prefix}"]\n`.repeat(count);
  const instantiate = async (name: string, disks: string) => {
    const template = await one.must('one.template.allocate', `NAME="${name}"\nCPU="0.01"\nMEMORY="1"\n${disks}`);
    return one.call('one.template.instantiate', Number(template), name, true, '', false);
  };
  expect((await instantiate('sd257', volatile('sd', 257))).value).toMatch(/Error allocating a new virtual machine\. VM \d+ has more than 256 disks$/);
  expect((await instantiate('hd5', volatile('hd', 5))).value).toMatch(/Non q35 or virt VM \d+ has more than 4 hd disks$/);
  expect((await instantiate('sd256', volatile('sd', 256))).ok).toBe(true);
});

describe('locks', () => {
  const refused = async (level: number): Promise<boolean[]> => {
    await one.must('one.vm.lock', vm, level, false);
    const answers = [
      await one.call('one.vm.info', vm), // USE without a look at the lock
      await one.call('one.vm.update', vm, 'A="b"', 1), // MANAGE
      await one.call('one.vm.recover', vm, 1), // ADMIN
    ];
    await one.must('one.vm.unlock', vm);
    return answers.map((answer) => answer.code === 512);
  };

  test.each([
    [1, [false, true, true]],
    [2, [false, true, true]],
    [3, [false, false, true]],
    [4, [false, true, true]],
  ] as const)('of level %i refuse even oneadmin', async (level, expected) => {
    expect(await refused(level)).toEqual(expected);
  });

  test('of an image at level 1 keep it from being attached, in words for an admin', async () => {
    const image = Number((await allocate('locked')).value);
    await one.sim.control.idle();
    await one.must('one.image.lock', image, 1, false);
    expect(await one.call('one.vm.attach', vm, `DISK=[IMAGE_ID="${image}"]`)).toMatchObject({
      code: 512,
      value: `[one.vm.attach] User [0] : IMAGE is locked. [${image}].`,
    });
    expect(await one.call('one.image.delete', image, false)).toMatchObject({ code: 512, value: `[one.image.delete] User [0] : IMAGE is locked. [${image}].` });
    expect(await one.must('one.image.info', image)).toContain('<LOCK><LOCKED>1</LOCKED><OWNER>0</OWNER>');
    await one.must('one.image.unlock', image);
    expect((await one.call('one.image.delete', image, false)).ok).toBe(true);
    await one.sim.control.idle();
  });

  test('are taken over by admins only, and a level that is none is refused', async () => {
    const image = Number((await alice('one.image.allocate', 'NAME="hers"\nSIZE="1"', 100, false)).value);
    await one.must('one.image.lock', image, 3, false);
    expect(await alice('one.image.lock', image, 2, false)).toMatchObject({ code: 2048, value: '[one.image.lock] Error trying to lock the resource.' });
    expect(await alice('one.image.unlock', image)).toMatchObject({ code: 2048, value: '[one.image.unlock] Cannot unlock: Lock is owned by another user' });
    expect(await one.call('one.image.lock', image, 5, false)).toMatchObject({ code: 2048, value: '[one.image.lock] Wrong lock level specified' });
    expect((await one.call('one.image.lock', image, 3, true)).value).toMatch(/^\[one\.image\.lock\] \d+$/);
    await one.sim.control.idle();
  });
});

describe('encrypted attributes', () => {
  test('come back encrypted, unless an admin asks for them plain', async () => {
    const text = 'NAME="secretive"\nCPU="0.01"\nMEMORY="1"\nCONTEXT=[PASSWORD="hunter2",SET_HOSTNAME="x"]\n';
    const template = Number(await one.must('one.template.allocate', text));
    expect(await one.must('one.template.info', template, false, false)).not.toContain('hunter2');
    expect(await one.must('one.template.info', template, false, true)).toContain('<PASSWORD><![CDATA[hunter2]]></PASSWORD>');
    const id = Number(await one.must('one.template.instantiate', template, 'secretive', true, '', false));
    const encrypted = /<PASSWORD><!\[CDATA\[(.*?)\]\]>/.exec(await one.must('one.vm.info', id, false))?.[1] ?? '';
    expect(encrypted).toMatch(/^[A-Za-z0-9+/]+=*$/);
    expect(await one.must('one.vm.info', id, true)).toContain('<PASSWORD><![CDATA[hunter2]]></PASSWORD>');
    await one.must('one.vm.chmod', id, -1, -1, -1, -1, -1, -1, 1, -1, -1);
    expect((await alice('one.vm.info', id, true)).value).toContain(encrypted);
    // What this zone encrypted may be given to it again; it is not encrypted twice.
    const again = Number(await one.must('one.template.allocate', `NAME="again"\nCONTEXT=[PASSWORD="${encrypted}"]`));
    expect(await one.must('one.template.info', again, false, true)).toContain('hunter2');
  });
});

test('pools: a page by offset, and (-1, anything) is everything', async () => {
  const ids = async (...params: number[]): Promise<number[]> =>
    [...(await one.must('one.imagepool.info', ...params)).matchAll(/<IMAGE><ID>(\d+)<\/ID>/g)].map((match) => Number(match[1]));
  const all = await ids(-2, -1, -1);
  expect(all.length).toBeGreaterThan(4);
  expect(await ids(-2, 2, -2)).toEqual(all.slice(2, 4));
  expect(await ids(-2, -1, -2)).toEqual(all.slice(0, 2));
  expect(await ids(-2, -1, 1)).toEqual(all);
  expect(await ids(-2, all.length, -5)).toEqual([]);
});

test('the VM pool wants a state that there is; a set is shown once each, newest first, and only what may be used', async () => {
  expect(await one.call('one.vmpool.info', -2, -1, -1, 12)).toMatchObject({ code: 4096, value: '[one.vmpool.info] Incorrect filter_flag, state' });
  expect((await one.call('one.vmpool.info', -2, -1, -1)).fault).toBe(true);
  expect((await one.call('one.vmpool.info', -2, -1, -1, -2, 'NAME=a')).code).toBe(8192);
  const set = async (call: TestSimulator['call']): Promise<string[]> =>
    [...(await call('one.vmpool.infoset', `0,${vm},0,9999`, false)).value.matchAll(/<VM><ID>(\d+)/g)].map((m) => m[1] ?? '');
  expect(await set(one.call)).toEqual([...new Set([String(vm), '0'])]);
  expect(await set(alice)).toEqual([]);
});
