import { type Clock, systemClock } from '@onevault/base';
import { describe, expect, test } from 'vitest';
import { NO_TIME, startTestSimulator } from '../testing/index.ts';
import { lab } from './lab.ts';

/** Trouble on demand: states that come about by failures and by others, drivers that hang, disks that fill up. */
describe('failures at any phase of an action leave the VM where LifeCycleStates.cc says', () => {
  test.each<readonly [string, string | undefined, 'before' | 'after', string]>([
    ['suspend', undefined, 'before', 'RUNNING'],
    ['poweroff', undefined, 'before', 'RUNNING'],
    ['stop', undefined, 'after', 'EPILOG_STOP_FAILURE'],
    ['undeploy', undefined, 'after', 'EPILOG_UNDEPLOY_FAILURE'],
    ['terminate-hard', undefined, 'after', 'EPILOG_FAILURE'],
    ['resume', 'poweroff', 'before', 'POWEROFF'],
    ['resume', 'suspend', 'before', 'SUSPENDED'],
  ])('%s after %s, %s', async (verb, before, phase, expected) => {
    await using one = await lab({ datastore: 100 });
    if (before) await one.act(before);
    await one.sim.control.inject({ fault: 'driver', operation: 'action', phase, text: 'no way' });
    await one.act(verb);
    const { vm, error } = await one.look();
    expect(vm.stateText).toBe(expected);
    expect(error).toContain('no way');
  });

  test.each([
    ['stop', 'before', 'PROLOG_RESUME_FAILURE'],
    ['stop', 'after', 'BOOT_STOPPED_FAILURE'],
    ['undeploy', 'before', 'PROLOG_UNDEPLOY_FAILURE'],
    ['undeploy', 'after', 'BOOT_UNDEPLOY_FAILURE'],
  ] as const)('resume after %s, %s: %s, and a retry brings it up', async (verb, phase, expected) => {
    await using one = await lab({ datastore: 100 });
    await one.act(verb);
    await one.sim.control.inject({ fault: 'driver', operation: 'deploy', phase });
    await one.act('resume');
    expect((await one.look()).vm.stateText).toBe(expected);
    expect(await one.call('one.vm.disksaveas', one.vm, 0, 'x', '', -1)).toMatchObject({ ok: false, code: 8192 });
    await one.must('one.vm.recover', one.vm, 2);
    await one.sim.control.idle();
    expect((await one.look()).vm.stateText).toBe('RUNNING');
  });

  test('an epilog that failed is retried too', async () => {
    await using one = await lab({ datastore: 100 });
    await one.sim.control.inject({ fault: 'driver', operation: 'action', phase: 'after' });
    await one.act('undeploy');
    await one.must('one.vm.recover', one.vm, 2);
    await one.sim.control.idle();
    expect((await one.look()).vm.stateText).toBe('UNDEPLOYED');
  });
});

describe('what the monitor finds', () => {
  test('UNKNOWN refuses every disk operation, and goes when the VM is found again', async () => {
    await using one = await lab({ datastore: 100 });
    await one.sim.control.monitored(one.vm, 'UNKNOWN');
    expect(await one.call('one.vm.disksnapshotcreate', one.vm, 0, 's')).toMatchObject({ value: expect.stringContaining('wrong state UNKNOWN.') });
    expect(await one.call('one.vm.disksaveas', one.vm, 0, 'x', '', -1)).toMatchObject({ code: 8192 });
    expect(await one.call('one.vm.action', 'suspend', one.vm)).toMatchObject({ value: expect.stringContaining('state UNKNOWN') });
    await one.sim.control.monitored(one.vm, 'RUNNING');
    expect((await one.look()).vm.stateText).toBe('RUNNING');
  });

  test('a guest that shut itself down is POWEROFF', async () => {
    await using one = await lab({ datastore: 100 });
    await one.sim.control.monitored(one.vm, 'POWEROFF');
    expect((await one.sim.control.history(one.vm)).states.slice(-3)).toEqual(['RUNNING', 'SHUTDOWN_POWEROFF', 'POWEROFF']);
  });
});

describe('a driver that never answers', () => {
  test.each([
    [1, [0]],
    [0, []],
  ] as const)('a snapshot is stuck until one.vm.recover %i', async (operation, snapshots) => {
    await using one = await lab({ datastore: 100 });
    await one.sim.control.inject({ fault: 'driver', operation: 'snapshot-create', stuck: true });
    await one.snapshot();
    expect((await one.look()).vm.stateText).toBe('DISK_SNAPSHOT');
    await one.must('one.vm.recover', one.vm, operation);
    const { vm, snapshots: left, error } = await one.look();
    expect(vm.stateText).toBe('RUNNING');
    expect(left).toEqual(snapshots);
    expect(error).toBeUndefined();
  });

  test('HOTPLUG is taken for an attachment: a recovered detachment keeps the disk, or drops it and its device stays', async () => {
    for (const [operation, disks] of [
      [1, 2],
      [0, 1],
    ] as const) {
      await using one = await lab({ datastore: 100, disks: 2 });
      await one.sim.control.inject({ fault: 'driver', operation: 'detach', stuck: true });
      await one.must('one.vm.detach', one.vm, 1);
      await one.sim.control.idle();
      expect((await one.look()).vm.stateText).toBe('HOTPLUG');
      await one.must('one.vm.recover', one.vm, operation);
      expect((await one.look()).vm.disks.length).toBe(disks);
      expect((await one.look()).vm.stateText).toBe('RUNNING');
    }
  });

  test('a driver may also fall silent when all is done: the snapshot is there before anybody says so', async () => {
    await using one = await lab({ datastore: 100 });
    await one.sim.control.inject({ fault: 'driver', operation: 'snapshot-create', stuck: true, phase: 'after' });
    const id = await one.snapshot();
    expect((await one.look()).vm.stateText).toBe('DISK_SNAPSHOT');
    await one.must('one.vm.recover', one.vm, 1);
    expect(await one.savedAs('x', id)).toBe('READY');
  });

  test('an image stays LOCKED until it is deleted by force', async () => {
    await using one = await lab({ datastore: 100 });
    await one.sim.control.inject({ fault: 'driver', operation: 'image-create', stuck: true });
    const image = Number(await one.must('one.image.allocate', 'NAME="i"\nSIZE="1"', 100, false));
    await one.sim.control.idle();
    expect((await one.look()).images.get(image)?.stateText).toBe('LOCKED');
    expect(await one.call('one.image.delete', image, false)).toMatchObject({ code: 8192 });
    await one.must('one.image.delete', image, true);
    await one.sim.control.idle();
    expect((await one.look()).images.has(image)).toBe(false);
  });

  test('a VM that was being suspended when the driver fell silent is RUNNING again after recover 0', async () => {
    await using one = await lab({ datastore: 100 });
    await one.sim.control.inject({ fault: 'driver', operation: 'action', stuck: true });
    await one.act('suspend');
    expect((await one.look()).vm.stateText).toBe('SAVE_SUSPEND');
    await one.must('one.vm.recover', one.vm, 0);
    expect((await one.look()).vm.stateText).toBe('RUNNING');
  });

  test('a VM at rest cannot be recovered', async () => {
    await using one = await lab({ datastore: 100 });
    await one.act('poweroff');
    expect(await one.call('one.vm.recover', one.vm, 1)).toMatchObject({
      code: 2048,
      value: `[one.vm.recover] Could not perform a recover operation on VM ${one.vm}, wrong state POWEROFF.`,
    });
  });
});

describe('somebody else, at a chosen moment', () => {
  test('suspends the VM right before a call, which is then refused', async () => {
    await using one = await lab({ datastore: 100 });
    await one.sim.control.inject({ fault: 'foreign', method: 'one.vm.disksnapshotcreate', calls: [{ method: 'one.vm.action', params: ['poweroff', one.vm] }] });
    await one.must('one.vm.disksnapshotcreate', one.vm, 0, 's');
    await one.sim.control.idle();
    expect((await one.sim.control.history(one.vm)).states).toEqual(expect.arrayContaining(['SHUTDOWN_POWEROFF', 'DISK_SNAPSHOT_POWEROFF']));
  });

  test('deletes the image the moment it is READY, before the caller is answered', async () => {
    await using one = await lab({ datastore: 100 });
    await one.sim.control.inject({
      fault: 'foreign',
      method: 'one.vm.disksaveas',
      when: 'done',
      calls: [{ method: 'one.image.delete', params: [1, true] }],
    });
    const image = Number(await one.must('one.vm.disksaveas', one.vm, 0, 'x', '', -1));
    expect(image).toBe(1);
    expect((await one.look()).images.has(image)).toBe(false);
  });

  test('acts at the third call only, and a refusal of its own changes nothing', async () => {
    await using one = await lab({ datastore: 100 });
    await one.sim.control.inject({
      fault: 'foreign',
      method: 'one.vm.info',
      skip: 2,
      calls: [
        { method: 'one.vm.rename', params: [one.vm, 'renamed'] },
        { method: 'one.vm.detach', params: [one.vm, 77] },
        { method: 'one.vm.lock', params: [one.vm, 4, false] },
      ],
    });
    for (let n = 0; n < 2; n++) expect(await one.must('one.vm.info', one.vm)).toContain('<NAME>vm</NAME>');
    expect(await one.must('one.vm.info', one.vm)).toContain('<NAME>renamed</NAME>');
    expect(await one.call('one.vm.disksnapshotcreate', one.vm, 0, 's')).toMatchObject({ code: 512 });
  });

  test.each([
    [true, ['RUNNING', 'MIGRATE', 'RUNNING']],
    [false, ['RUNNING', 'SAVE_MIGRATE', 'PROLOG_MIGRATE', 'BOOT_MIGRATE', 'RUNNING']],
  ])('migrates the VM (live: %s)', async (live, states) => {
    await using one = await lab({ datastore: 100 });
    await one.must('one.vm.migrate', one.vm, 2, live, false, -1, 0);
    await one.sim.control.idle();
    expect((await one.sim.control.history(one.vm)).states.slice(-states.length)).toEqual(states);
    expect(/.*<HID>(\d+)<\/HID>/s.exec(await one.must('one.vm.info', one.vm))?.[1]).toBe('2');
    expect(await one.call('one.vm.migrate', one.vm, 2, live, false, -1, 0)).toMatchObject({ value: expect.stringContaining('already running on host [2]') });
  });

  test.each([
    [undefined, 'BACKUP', 'RUNNING'],
    ['poweroff', 'BACKUP_POWEROFF', 'POWEROFF'],
  ] as const)('backs it up natively after %s: it is in %s and refuses the rest, then there is an image of type BACKUP', async (before, transient, state) => {
    await using one = await lab({ datastore: 100 });
    if (before) await one.act(before);
    await one.sim.control.hold(['saveas']);
    await one.must('one.vm.backup', one.vm, 124, false);
    expect((await one.look()).vm.stateText).toBe(transient);
    expect(await one.call('one.vm.disksnapshotcreate', one.vm, 0, 's')).toMatchObject({ value: expect.stringContaining(`wrong state ${transient}.`) });
    expect(await one.call('one.vm.backup', one.vm, 124, false)).toMatchObject({ code: 8192 });
    await one.sim.control.release();
    await one.sim.control.idle();
    const { vm, images } = await one.look();
    expect(vm.stateText).toBe(state);
    const [backup] = [...images.values()].slice(-1);
    expect(backup).toMatchObject({ datastoreId: 124, stateText: 'READY' });
    expect(await one.must('one.vm.info', one.vm)).toContain(`<BACKUP_IDS><ID>${backup?.id}</ID></BACKUP_IDS>`);
    expect(await one.call('one.vm.attach', one.vm, `DISK=[IMAGE_ID="${backup?.id}"]`)).toMatchObject({ ok: false });
  });

  test('resizes it', async () => {
    await using one = await lab({ datastore: 100 });
    await one.must('one.vm.resize', one.vm, 'MEMORY="1024"', false);
    await one.sim.control.idle();
    expect(await one.must('one.vm.info', one.vm)).toContain('<MEMORY><![CDATA[1024]]></MEMORY>');
    expect((await one.sim.control.history(one.vm)).states.slice(-2)).toEqual(['HOTPLUG_RESIZE', 'RUNNING']);
  });
});

describe('room', () => {
  test('a storage that filled up since it was monitored lets the call pass and fails the copy', async () => {
    await using one = await lab({ datastore: 100 });
    await one.sim.control.setDatastoreFree(100, 0, { monitored: false });
    const image = await one.save('x', -1);
    const { images, error } = await one.look();
    expect(images.get(image)?.stateText).toBe('ERROR');
    expect(error).toContain('No space left on device');
    expect(await one.call('one.vm.disksaveas', one.vm, 0, 'y', '', -1)).toMatchObject({ value: '[one.vm.disksaveas] Not enough space in datastore' });
  });

  test('a VM that fits on no host waits, and comes when there is room', async () => {
    await using one = await lab({ datastore: 100 });
    for (const host of [0, 2]) await one.sim.control.setHostCapacity(host, { memoryMiB: 1 });
    const { vmId } = await one.sim.control.createVm({ name: 'big', disks: [{ sizeMiB: 1 }] });
    const waiting = (await one.sim.control.state()).vms.find((vm) => vm.id === vmId);
    expect(waiting).toMatchObject({ stateText: 'PENDING', schedMessage: expect.stringContaining('Not enough capacity in hosts 0, 2') });
    await one.sim.control.setHostCapacity(2, { memoryMiB: 4096 });
    await one.sim.control.idle();
    expect((await one.sim.control.state()).vms.find((vm) => vm.id === vmId)?.stateText).toBe('RUNNING');
  });
});

test('a slow answer is late, a call is executed late or at once as asked', async () => {
  await using one = await lab({ datastore: 100 });
  for (const when of ['before', 'after'] as const) {
    await one.sim.control.inject({ fault: 'delay', method: 'one.vm.rename', ms: 30, when });
    const began = performance.now();
    const answer = one.must('one.vm.rename', one.vm, when);
    await answer;
    expect(performance.now() - began).toBeGreaterThanOrEqual(25);
    expect((await one.look()).vm.name).toBe(when);
  }
});

test('operations take longer the more they move', async () => {
  const slept: number[] = [];
  const clock: Clock = {
    now: systemClock.now,
    monotonicMs: systemClock.monotonicMs,
    sleep: async (ms) => void slept.push(ms),
  };
  await using one = await startTestSimulator({ proxy: false, clock, times: { ...NO_TIME, perGiBCopied: 1024 } });
  const { control } = one.sim;
  const { vmId } = await control.createVm({ name: 'vm', disks: [{ sizeMiB: 2, datastore: 108 }] });
  const during = async (method: string, ...params: (string | number)[]): Promise<readonly number[]> => {
    slept.length = 0;
    await one.must(method, vmId, ...params);
    await control.idle();
    return [...slept];
  };
  expect(slept).toEqual([2]); // deployed on ssh: every byte goes to the host
  expect(await during('one.vm.disksnapshotcreate', 0, 's')).toEqual([2]);
  expect(await during('one.vm.disksaveas', 0, 'x', '', 0)).toEqual([2]);
  expect(await during('one.vm.attach', 'DISK=[IMAGE_ID="1"]')).toEqual([2]);
  expect(await during('one.vm.detach', 2)).toEqual([]); // not persistent: nothing goes back
});
