import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TimedStep } from '../src/index.ts';
import { startTestSimulator, type TestSimulator } from '../testing/index.ts';

/** The tables of opennebula.md b.2, c.4 and M.2: [STATE, LCM_STATE] along the way of each operation. */
let one: TestSimulator;
let vm: number;
beforeEach(async () => {
  one = await startTestSimulator({ proxy: false });
  vm = (await one.sim.control.createVm({ name: 'vm', disks: [{ sizeMiB: 1 }, { sizeMiB: 1 }] })).vmId;
});
afterEach(() => one[Symbol.asyncDispose]());

async function states(): Promise<readonly [number, number]> {
  const body = await one.must('one.vm.info', vm);
  const field = (name: string): number => Number(new RegExp(`<${name}>(\\d+)</${name}>`).exec(body)?.[1]);
  return [field('STATE'), field('LCM_STATE')];
}

/** Lets the VM go step by step and notes where it stands at each. */
async function watch(start: () => Promise<unknown>, steps: readonly TimedStep[]): Promise<(readonly [number, number])[]> {
  const { control } = one.sim;
  await control.hold(steps);
  const seen: (readonly [number, number])[] = [];
  await start();
  seen.push(await states());
  for (const _step of steps) {
    while ((await control.state()).waiting.length === 0) await new Promise(setImmediate);
    seen.push(await states());
    await control.step();
  }
  await control.release();
  await control.idle();
  seen.push(await states());
  return seen;
}

const settle = async (method: string, ...params: (string | number)[]): Promise<void> => {
  await one.must(method, ...params);
  await one.sim.control.idle();
};

describe('disk operations: the transient state is set before the answer', () => {
  test.each<readonly [string, string | undefined, number, readonly [number, number]]>([
    ['RUNNING', undefined, 57, [3, 3]],
    ['POWEROFF', 'poweroff', 51, [8, 0]],
    ['SUSPENDED', 'suspend', 54, [5, 0]],
  ])('snapshot of a disk, %s', async (_state, verb, transient, stable) => {
    if (verb) await settle('one.vm.action', verb, vm);
    const seen = await watch(() => one.must('one.vm.disksnapshotcreate', vm, 0, 's'), ['snapshot']);
    expect(seen).toEqual([[3, transient], [3, transient], stable]);
  });

  test.each<readonly [string, string | undefined, number, readonly [number, number]]>([
    ['RUNNING', undefined, 59, [3, 3]],
    ['POWEROFF', 'poweroff', 53, [8, 0]],
    ['SUSPENDED', 'suspend', 56, [5, 0]],
  ])('deletion of a snapshot, %s', async (_state, verb, transient, stable) => {
    await settle('one.vm.disksnapshotcreate', vm, 0, 's');
    if (verb) await settle('one.vm.action', verb, vm);
    const seen = await watch(() => one.must('one.vm.disksnapshotdelete', vm, 0, 0), ['snapshotDelete']);
    expect(seen).toEqual([[3, transient], [3, transient], stable]);
  });

  test.each<readonly [string, string | undefined, number, readonly [number, number]]>([
    ['RUNNING', undefined, 26, [3, 3]],
    ['POWEROFF', 'poweroff', 27, [8, 0]],
    ['SUSPENDED', 'suspend', 28, [5, 0]],
    ['UNDEPLOYED', 'undeploy', 67, [9, 0]],
    ['STOPPED', 'stop', 68, [4, 0]],
  ])('disksaveas, %s', async (_state, verb, transient, stable) => {
    if (verb) await settle('one.vm.action', verb, vm);
    const seen = await watch(() => one.must('one.vm.disksaveas', vm, 0, 'x', '', -1), ['saveas']);
    expect(seen).toEqual([[3, transient], [3, transient], stable]);
  });

  test.each<readonly [string, string | undefined, number, number, readonly [number, number]]>([
    ['RUNNING', undefined, 17, 17, [3, 3]],
    ['POWEROFF', 'poweroff', 33, 34, [8, 0]],
  ])('attach and detach, %s', async (_state, verb, attaching, detaching, stable) => {
    const image = await one.must('one.image.allocate', 'NAME="i"\nSIZE="1"', 100, false);
    await one.sim.control.idle();
    if (verb) await settle('one.vm.action', verb, vm);
    const attach = await watch(() => one.must('one.vm.attach', vm, `DISK=[IMAGE_ID="${image}"]`), ['attach']);
    expect(attach).toEqual([[3, attaching], [3, attaching], stable]);
    const detach = await watch(() => one.must('one.vm.detach', vm, 3), ['detach']);
    expect(detach).toEqual([[3, detaching], [3, detaching], stable]);
  });

  test('revert, POWEROFF', async () => {
    await settle('one.vm.disksnapshotcreate', vm, 0, 's');
    await settle('one.vm.action', 'poweroff', vm);
    expect(await watch(() => one.must('one.vm.disksnapshotrevert', vm, 0, 0), ['revert'])).toEqual([
      [3, 52],
      [3, 52],
      [8, 0],
    ]);
  });
});

describe('actions answer first and change the state later', () => {
  test.each<readonly [string, string | undefined, readonly TimedStep[], readonly (readonly [number, number])[]]>([
    [
      'suspend',
      undefined,
      ['react', 'suspend'],
      [
        [3, 3],
        [3, 3],
        [3, 6],
        [5, 0],
      ],
    ],
    [
      'resume',
      'suspend',
      ['react', 'resume'],
      [
        [5, 0],
        [5, 0],
        [3, 21],
        [3, 3],
      ],
    ],
    [
      'poweroff',
      undefined,
      ['react', 'poweroff'],
      [
        [3, 3],
        [3, 3],
        [3, 18],
        [8, 0],
      ],
    ],
    [
      'poweroff-hard',
      undefined,
      ['react', 'poweroff'],
      [
        [3, 3],
        [3, 3],
        [3, 18],
        [8, 0],
      ],
    ],
    [
      'resume',
      'poweroff',
      ['react', 'resume'],
      [
        [8, 0],
        [8, 0],
        [3, 20],
        [3, 3],
      ],
    ],
    [
      'stop',
      undefined,
      ['react', 'stop', 'epilog'],
      [
        [3, 3],
        [3, 3],
        [3, 5],
        [3, 10],
        [4, 0],
      ],
    ],
    [
      'undeploy',
      undefined,
      ['react', 'poweroff', 'epilog'],
      [
        [3, 3],
        [3, 3],
        [3, 29],
        [3, 30],
        [9, 0],
      ],
    ],
    [
      'resume',
      'stop',
      ['react', 'schedule', 'deploy', 'boot'],
      [
        [4, 0],
        [4, 0],
        [1, 0],
        [3, 9],
        [3, 22],
        [3, 3],
      ],
    ],
    [
      'resume',
      'undeploy',
      ['react', 'schedule', 'deploy', 'boot'],
      [
        [9, 0],
        [9, 0],
        [1, 0],
        [3, 31],
        [3, 32],
        [3, 3],
      ],
    ],
    [
      'terminate-hard',
      undefined,
      ['react', 'terminate', 'epilog'],
      [
        [3, 3],
        [3, 3],
        [3, 12],
        [3, 11],
        [6, 0],
      ],
    ],
    [
      'terminate',
      'poweroff',
      ['react', 'epilog'],
      [
        [8, 0],
        [8, 0],
        [3, 11],
        [6, 0],
      ],
    ],
  ])('%s after %s', async (verb, before, steps, expected) => {
    if (before) await settle('one.vm.action', before, vm);
    const seen = await watch(() => one.must('one.vm.action', verb, vm), steps);
    expect(seen).toEqual(expected);
  });

  test.each([
    ['suspend', 'poweroff', 'Error performing action "suspend": This action is not available for state POWEROFF'],
    ['resume', undefined, 'Error performing action "resume": This action is not available for state RUNNING'],
    ['hold', undefined, 'Error performing action "hold": This action is not available for state RUNNING'],
    ['dance', undefined, 'Action "dance" is not supported'],
  ])('%s after %s is refused', async (verb, before, text) => {
    if (before) await settle('one.vm.action', before, vm);
    expect(await one.call('one.vm.action', verb, vm)).toMatchObject({ code: 2048, value: `[one.vm.action] ${text}` });
  });

  test('terminate gives the images back, removes the copies and frees the addresses', async () => {
    await settle('one.vm.action', 'terminate-hard', vm);
    const state = await one.sim.control.state();
    expect(state.images.map((image) => [image.stateText, image.vmIds])).toEqual([
      ['READY', []],
      ['READY', []],
    ]);
    expect((await one.must('one.vmpool.info', -2, -1, -1, -1)).includes(`<ID>${vm}</ID>`)).toBe(false);
    expect(await one.must('one.vm.info', vm)).toContain('<STATE>6</STATE>');
  });
});

test('while one operation runs every other is refused by the LCM name, saveas with 8192', async () => {
  await one.sim.control.hold(['snapshot']);
  await one.must('one.vm.disksnapshotcreate', vm, 0, 's');
  const wrong = 'wrong state DISK_SNAPSHOT.';
  const attempts: readonly (readonly [string, readonly (string | number)[], number, string])[] = [
    ['one.vm.disksnapshotcreate', [vm, 1, 's'], 2048, `Could not create a new snapshot for VM ${vm}, ${wrong}`],
    ['one.vm.disksnapshotdelete', [vm, 0, 0], 2048, `Could not delete disk snapshot from VM ${vm}, ${wrong}`],
    ['one.vm.disksnapshotrevert', [vm, 0, 0], 2048, `Could not revert to disk snapshot for VM ${vm}, ${wrong}`],
    ['one.vm.disksaveas', [vm, 0, 'x', '', -1], 8192, 'VM has to be RUNNING, POWEROFF or SUSPENDED to save disks.'],
    ['one.vm.attach', [vm, 'DISK=[IMAGE_ID="0"]'], 2048, `Could not attach a new disk to VM ${vm}, ${wrong}`],
    ['one.vm.detach', [vm, 1], 2048, `Could not detach disk from VM ${vm}, ${wrong}`],
    ['one.vm.action', ['suspend', vm], 2048, 'Error performing action "suspend": This action is not available for state DISK_SNAPSHOT'],
    ['one.vm.action', ['terminate-hard', vm], 2048, `Error performing action "terminate-hard": Could not terminate VM ${vm}, ${wrong}`],
  ];
  for (const [method, params, code, text] of attempts) expect(await one.call(method, ...params)).toMatchObject({ code, value: `[${method}] ${text}` });
});

test('a failed snapshot is gone, its id is never used again, and the next one works', async () => {
  await one.sim.control.inject({ fault: 'driver', operation: 'snapshot-create', text: 'disk full' });
  expect(await one.must('one.vm.disksnapshotcreate', vm, 0, 'a')).toBe('0');
  await one.sim.control.idle();
  expect((await one.sim.control.state()).vms[0]).toMatchObject({
    stateText: 'RUNNING',
    snapshots: [],
    error: expect.stringContaining('DISKSNAPSHOTCREATE: disk full'),
  });
  expect(await one.must('one.vm.disksnapshotcreate', vm, 0, 'b')).toBe('1');
});

test('a failed saveas leaves an ERROR image; the VM is back before a good image is READY', async () => {
  await one.sim.control.inject({ fault: 'driver', operation: 'saveas' });
  const bad = Number(await one.must('one.vm.disksaveas', vm, 0, 'bad', '', -1));
  await one.sim.control.idle();
  await one.sim.control.hold(['saveasReady']);
  const good = Number(await one.must('one.vm.disksaveas', vm, 0, 'good', '', -1));
  while ((await one.sim.control.state()).waiting.length === 0) await new Promise(setImmediate);
  const state = await one.sim.control.state();
  expect(state.vms[0]?.stateText).toBe('RUNNING');
  expect(state.images.filter((image) => image.id >= bad).map((image) => [image.id, image.stateText])).toEqual([
    [bad, 'ERROR'],
    [good, 'LOCKED'],
  ]);
});

test('a VM that is backed up incrementally by OpenNebula, and a read-only disk, take no snapshot', async () => {
  const { vmId } = await one.sim.control.createVm({ name: 'ro', disks: [{ sizeMiB: 1, readonly: true }] });
  expect(await one.call('one.vm.disksnapshotcreate', vmId, 0, 's')).toMatchObject({
    code: 2048,
    value: '[one.vm.disksnapshotcreate] Cannot make snapshots on readonly disks',
  });
  await one.must('one.vm.updateconf', vm, 'BACKUP_CONFIG=[MODE="INCREMENT"]', 1);
  expect(await one.must('one.vm.info', vm)).toContain('<BACKUP_CONFIG><MODE><![CDATA[INCREMENT]]></MODE></BACKUP_CONFIG>');
  expect(await one.call('one.vm.disksnapshotcreate', vm, 0, 's')).toMatchObject({
    code: 2048,
    value: '[one.vm.disksnapshotcreate] Action "disk-snapshot-create" is not compatible with incremental backups',
  });
});
