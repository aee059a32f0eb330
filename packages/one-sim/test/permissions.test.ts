import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rawClient, startTestSimulator, type TestSimulator } from '../testing/index.ts';

let one: TestSimulator;
let alice: ReturnType<typeof rawClient>;
let theirs: number;
let hers: number;
beforeAll(async () => {
  one = await startTestSimulator({ proxy: false });
  alice = rawClient(one.sim.endpoint, 'alice:alice-password');
  theirs = (await one.sim.control.createVm({ name: 'theirs', disks: [{ sizeMiB: 1 }] })).vmId;
  hers = (await one.sim.control.createVm({ name: 'hers', owner: 'alice', disks: [{ sizeMiB: 1 }] })).vmId;
});
afterAll(() => one[Symbol.asyncDispose]());

describe('a user outside the oneadmin group', () => {
  test('does not see or touch what is not shared with it', async () => {
    expect(await alice('one.vm.info', theirs)).toMatchObject({ code: 512, value: `[one.vm.info] User [2] : Not authorized to perform USE VM [${theirs}].` });
    for (const [method, ...params] of [
      ['one.vm.disksnapshotcreate', theirs, 0, 's'],
      ['one.vm.disksaveas', theirs, 0, 's', '', -1],
      ['one.vm.attach', theirs, 'DISK=[IMAGE_ID="1"]'],
      ['one.vm.detach', theirs, 0],
      ['one.vm.update', theirs, 'A="b"', 1],
    ] as const) {
      expect(await alice(method, ...params)).toMatchObject({ code: 512, value: `[${method}] User [2] : Not authorized to perform MANAGE VM [${theirs}].` });
    }
    expect(await alice('one.vm.action', 'suspend', theirs)).toMatchObject({ code: 512 });
    const pool = (await alice('one.vmpool.info', -2, -1, -1, -2)).value;
    expect([pool.includes(`<ID>${theirs}</ID>`), pool.includes(`<ID>${hers}</ID>`)]).toEqual([false, true]);
  });

  test('a refused saveas leaves the VM as it was', async () => {
    await alice('one.vm.disksaveas', theirs, 0, 's', '', -1);
    expect((await one.sim.control.state()).vms.find((vm) => vm.id === theirs)?.stateText).toBe('RUNNING');
  });

  test('needs USE on an image to attach it', async () => {
    expect(await alice('one.vm.attach', hers, 'DISK=[IMAGE_ID="0"]')).toMatchObject({
      code: 512,
      value: '[one.vm.attach] User [2] : Not authorized to perform USE IMAGE [0].',
    });
    await one.must('one.image.chmod', 0, -1, -1, -1, -1, -1, -1, 1, -1, -1);
    expect((await alice('one.vm.attach', hers, 'DISK=[IMAGE_ID="0"]')).ok).toBe(true);
    await one.sim.control.idle();
  });

  test('may use a VM that others may use, but not manage it', async () => {
    await one.must('one.vm.chmod', theirs, -1, -1, -1, -1, -1, -1, 1, -1, -1);
    expect((await alice('one.vm.info', theirs)).ok).toBe(true);
    expect((await alice('one.vm.update', theirs, 'A="b"', 1)).code).toBe(512);
    await one.must('one.vm.chown', theirs, 2, -1);
    expect((await alice('one.vm.update', theirs, 'A="b"', 1)).ok).toBe(true);
    await one.must('one.vm.chown', theirs, 0, 0);
  });

  test('may change its own password and nobody else may, and the old one is of no use then', async () => {
    expect(await alice('one.user.passwd', 0, 'mine now')).toMatchObject({ code: 512 });
    expect(await alice('one.user.passwd', 2, '')).toMatchObject({ code: 2048 });
    expect((await alice('one.user.passwd', 2, 'next-password')).ok).toBe(true);
    expect(await alice('one.user.info', -1)).toMatchObject({ code: 256 });
    expect((await rawClient(one.sim.endpoint, 'alice:next-password')('one.user.info', -1)).ok).toBe(true);
    await one.must('one.user.passwd', 2, 'alice-password');
  });

  test('is told who it is, with its password hash, as oned prints it', async () => {
    const body = (await alice('one.user.info', -1)).value;
    expect(body).toMatch(/<NAME>alice<\/NAME><PASSWORD><!\[CDATA\[[0-9a-f]{64}\]\]><\/PASSWORD>/);
    expect(body).toContain('<GROUPS><ID>1</ID></GROUPS>');
  });
});

describe('locks', () => {
  test('refuse even the one who locked, and oneadmin is told why', async () => {
    await alice('one.vm.lock', hers, 2, false);
    expect(await one.must('one.vm.info', hers)).toMatch(
      /<\/DEPLOY_ID><LOCK><LOCKED>2<\/LOCKED><OWNER>2<\/OWNER><TIME>\d+<\/TIME><REQ_ID>\d+<\/REQ_ID><\/LOCK>/,
    );
    expect(await alice('one.vm.disksnapshotcreate', hers, 0, 's')).toMatchObject({
      code: 512,
      value: `[one.vm.disksnapshotcreate] User [2] : Not authorized to perform MANAGE VM [${hers}].`,
    });
    expect(await one.call('one.vm.disksnapshotcreate', hers, 0, 's')).toMatchObject({
      code: 512,
      value: `[one.vm.disksnapshotcreate] User [0] : VM is locked. [${hers}].`,
    });
    expect((await one.call('one.vm.recover', hers, 1)).code).toBe(512);
    expect((await one.call('one.vm.info', hers)).ok).toBe(true);
    await alice('one.vm.unlock', hers);
    expect((await alice('one.vm.disksnapshotcreate', hers, 0, 's')).ok).toBe(true);
    await one.sim.control.idle();
  });

  test('of level 3 leave USE and MANAGE alone', async () => {
    await one.must('one.vm.lock', hers, 3, false);
    expect((await alice('one.vm.update', hers, 'A="b"', 1)).ok).toBe(true);
    await one.must('one.vm.unlock', hers);
  });
});

test('pools: filters, ranges, pages, newest first', async () => {
  const ids = async (method: string, ...params: (string | number)[]): Promise<number[]> =>
    [...(await one.must(method, ...params)).matchAll(/<(?:VM|IMAGE)><ID>(\d+)<\/ID>/g)].map((match) => Number(match[1]));
  for (let n = 0; n < 5; n++) await one.must('one.image.allocate', `NAME="p${n}"\nSIZE="1"`, 100, false);
  const all = await ids('one.imagepool.info', -2, -1, -1);
  expect(all).toEqual([...all].sort((a, b) => b - a));
  expect(await ids('one.imagepool.info', -2, 2, 4)).toEqual([4, 3, 2]);
  expect(await ids('one.imagepool.info', -2, 4, -1)).toEqual(all.filter((id) => id >= 4));
  expect(await ids('one.imagepool.info', -2, 0, -3)).toEqual(all.slice(0, 3));
  expect(await ids('one.imagepool.info', -2, 3, -3)).toEqual(all.slice(3, 6));
  expect(await ids('one.imagepool.info', 2, -1, -1)).toEqual([1]);
  expect(await ids('one.vmpool.info', -2, -1, -1, 8)).toEqual([]);
  expect((await one.call('one.imagepool.info', -9, -1, -1)).code).toBe(4096);
});
