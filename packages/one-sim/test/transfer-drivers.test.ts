import { stat } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { startTestSimulator, type TestSimulator } from '../testing/index.ts';
import { recordingsOf } from './recorded/recording.ts';

/** opennebula.md table M.1 and section e.3, cell by cell: what each driver really does with a RUNNING VM. */
interface Lab extends TestSimulator {
  readonly vm: number;
}

const MIB = 2 ** 20;

async function lab(options: { datastore: number; format?: 'raw' | 'qcow2'; persistent?: boolean; version?: string; hypervisor?: 'kvm' | 'lxc' }): Promise<Lab> {
  const { version = '7.0.2', hypervisor = 'kvm', ...disk } = options;
  const one = await startTestSimulator({ version, proxy: false });
  const { vmId } = await one.sim.control.createVm({ name: 'vm', hypervisor, disks: [{ sizeMiB: 1, ...disk }] });
  return { ...one, vm: vmId, [Symbol.asyncDispose]: () => one[Symbol.asyncDispose]() };
}

async function settled(one: Lab, method: string, ...params: (string | number)[]): Promise<number> {
  const value = await one.must(method, one.vm, ...params);
  await one.sim.control.idle();
  return Number(value);
}

const snapshot = (one: Lab, name = 's'): Promise<number> => settled(one, 'one.vm.disksnapshotcreate', 0, name);
const save = (one: Lab, name: string, snapshotId: number): Promise<number> => settled(one, 'one.vm.disksaveas', 0, name, '', snapshotId);

async function look(one: Lab) {
  const state = await one.sim.control.state();
  const vm = state.vms.find((candidate) => candidate.id === one.vm);
  if (!vm) throw new Error('no VM');
  return { vm, snapshots: vm.snapshots.map((candidate) => candidate.id), image: (id: number) => state.images.find((candidate) => candidate.id === id) };
}

describe.each<readonly [string, Parameters<typeof lab>[0]]>([
  ['qcow2, non-persistent', { datastore: 100 }],
  ['raw image in a qcow2 datastore', { datastore: 100, format: 'raw' }],
  ['shared, qcow2', { datastore: 102, format: 'qcow2' }],
  ['ssh on 7.0.2', { datastore: 108, format: 'qcow2' }],
  ['ssh on 6.10.5', { datastore: 1, version: '6.10.5', format: 'qcow2' }],
])('%s', (_name, options) => {
  test('a snapshot is saved as a standalone image, also one with a parent, and both are deleted', async () => {
    await using one = await lab(options);
    const first = await snapshot(one);
    const second = await snapshot(one);
    const saved = [await save(one, 'first', first), await save(one, 'second', second), await save(one, 'live', -1)];
    const { image } = await look(one);
    for (const id of saved) expect(image(id)).toMatchObject({ stateText: 'READY', broken: false });
    await settled(one, 'one.vm.disksnapshotdelete', 0, second);
    await settled(one, 'one.vm.disksnapshotdelete', 0, first);
    const after = await look(one);
    expect(after.snapshots).toEqual([]);
    expect(after.vm.error).toBeUndefined();
    expect(await one.must('one.vm.info', one.vm)).toContain('<NEXT_SNAPSHOT><![CDATA[2]]></NEXT_SNAPSHOT></SNAPSHOTS>');
  });
});

describe('local, qcow2', () => {
  test('a snapshot with a parent gives a READY image that is nothing but a small dangling overlay', async () => {
    await using one = await lab({ datastore: 1, format: 'qcow2' });
    const first = await snapshot(one);
    const second = await snapshot(one);
    const goodId = await save(one, 'good', first);
    const badId = await save(one, 'bad', second);
    const { image } = await look(one);
    expect(image(goodId)).toMatchObject({ stateText: 'READY', broken: false });
    expect(image(badId)).toMatchObject({ stateText: 'READY', broken: true, sizeMiB: 1 });
    expect((await stat(image(goodId)?.path ?? '')).size).toBe(MIB);
    expect((await stat(image(badId)?.path ?? '')).size).toBe(512);
  });

  test('deleting the only snapshot is accepted, fails, and leaves a sticky ERROR', async () => {
    await using one = await lab({ datastore: 1, format: 'qcow2' });
    const only = await snapshot(one);
    await settled(one, 'one.vm.disksnapshotdelete', 0, only);
    const { vm, snapshots } = await look(one);
    expect(snapshots).toEqual([only]);
    expect(vm.stateText).toBe('RUNNING');
    const real =
      /<USER_TEMPLATE><ERROR><!\[CDATA\[(.*?)\]\]>/.exec(recordingsOf('7.0.2').find((recording) => recording.number === '025')?.answer.value ?? '')?.[1] ?? '';
    const date = /^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}/;
    expect(vm.error).toMatch(date);
    expect(vm.error?.replace(date, '')).toBe(real.replace(date, ''));
    await save(one, 'live', -1);
    expect((await look(one)).vm.error).toBe(vm.error);
  });

  test('a snapshot that has a parent can be deleted', async () => {
    await using one = await lab({ datastore: 1, format: 'qcow2' });
    await snapshot(one);
    const child = await snapshot(one);
    await settled(one, 'one.vm.disksnapshotdelete', 0, child);
    const { vm } = await look(one);
    expect(vm.snapshots).toMatchObject([{ id: 0, active: true }]);
    expect(vm.error).toBeUndefined();
  });
});

test('ssh on 6.10.5 deletes snapshot 0 of a persistent disk too', async () => {
  await using one = await lab({ datastore: 1, version: '6.10.5', format: 'qcow2', persistent: true });
  const first = await snapshot(one);
  await settled(one, 'one.vm.disksnapshotdelete', 0, first);
  expect((await look(one)).snapshots).toEqual([]);
});

test.each([100, 1])('snapshot 0 of a persistent qcow2 disk in datastore %i stays for ever', async (datastore) => {
  await using one = await lab({ datastore, format: 'qcow2', persistent: true });
  await snapshot(one);
  const refused = await one.call('one.vm.disksnapshotdelete', one.vm, 0, 0);
  expect(refused).toMatchObject({ code: 2048, value: '[one.vm.disksnapshotdelete] Cannot delete snapshot 0 for persistent disk images' });
});

test('ceph: snapshots hang off the last reverted one and none is ACTIVE', async () => {
  await using one = await lab({ datastore: 104 });
  await snapshot(one);
  await snapshot(one);
  expect((await look(one)).vm.snapshots).toMatchObject([
    { id: 0, active: false, parent: -1 },
    { id: 1, active: false, parent: -1 },
  ]);
  await settled(one, 'one.vm.disksnapshotdelete', 0, 0);
  expect((await look(one)).snapshots).toEqual([1]);
});

test('a container is not saved live on file drivers: the image ends in ERROR, without a message of its own', async () => {
  await using one = await lab({ datastore: 100, hypervisor: 'lxc' });
  const id = await save(one, 'x', -1);
  const { vm, image } = await look(one);
  expect(image(id)?.stateText).toBe('ERROR');
  expect(vm).toMatchObject({ stateText: 'RUNNING' });
  expect(vm.error).toContain('cpds: Live operation not supported on lxc');
  expect(await one.must('one.image.info', id)).not.toContain('<ERROR>');
});
