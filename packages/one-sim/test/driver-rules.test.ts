import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type Lab, lab, MIB } from './lab.ts';

/** What differs by driver and version beyond the measured table of transfer-drivers.test.ts (opennebula.md e.3, e.4, f, g.4). */
describe('LIVE_DISK_SNAPSHOTS: what is not listed is accepted, fails, and its id is gone', () => {
  test.each<readonly [string, Parameters<typeof lab>[0]]>([
    ['fs_lvm', { datastore: 106 }],
    ['fs_lvm_ssh without thin volumes', { datastore: 112 }],
    ['fs_lvm_ssh on 6.10', { datastore: 112, version: '6.10.5' }],
    ['dev', { datastore: 118, persistent: true }],
    ['iscsi_libvirt', { datastore: 120, persistent: true }],
    ['a container on 7.0.2', { datastore: 100, hypervisor: 'lxc' }],
  ])('%s', async (_name, options) => {
    await using one = await lab(options);
    expect(await one.snapshot()).toBe(0);
    const { snapshots, error } = await one.look();
    expect(snapshots).toEqual([]);
    expect(error).toContain('DISKSNAPSHOTCREATE: Cannot perform a live DISKSNAPSHOTCREATE operation');
    expect(await one.snapshot()).toBe(1);
  });
});

describe('how the guest fares while a RUNNING VM is snapshotted', () => {
  test.each<readonly [string, Parameters<typeof lab>[0], readonly object[]]>([
    ['qcow2: suspended for a moment', { datastore: 100 }, [{ how: 'suspended', why: 'snapshot', bytes: 0 }]],
    ['qcow2 with an agent: frozen for a moment', { datastore: 100, guestAgent: 'works' }, [{ how: 'frozen', bytes: 0 }]],
    ['qcow2 with an agent that is silent: suspended', { datastore: 100, guestAgent: 'silent' }, [{ how: 'suspended', bytes: 0 }]],
    ['shared, raw: suspended for a copy of the whole disk', { datastore: 102, format: 'raw' }, [{ how: 'suspended', bytes: MIB }]],
    ['shared, raw, with an agent: frozen for all that', { datastore: 102, format: 'raw', guestAgent: 'works' }, [{ how: 'frozen', bytes: MIB }]],
    ['local: not at all', { datastore: 110, format: 'qcow2', guestAgent: 'works' }, []],
    ['ssh: not at all, it is copied while it runs', { datastore: 108 }, []],
    ['ceph without an agent: not at all', { datastore: 104 }, []],
    ['ceph with an agent: frozen', { datastore: 104, guestAgent: 'works' }, [{ how: 'frozen', bytes: 0 }]],
    ['thin LVM: frozen', { datastore: 114, guestAgent: 'works' }, [{ how: 'frozen', bytes: 0 }]],
    ['lvm of 7.4: not at all', { datastore: 116, version: '7.4.0', guestAgent: 'works' }, []],
  ])('%s', async (_name, options, pauses) => {
    await using one = await lab(options);
    const id = await one.snapshot();
    expect((await one.look()).snapshots).toEqual([id]);
    expect((await one.sim.control.history(one.vm)).pauses).toMatchObject(pauses);
  });

  test('thin LVM without an agent that answers: refused by the driver, the id is gone', async () => {
    for (const guestAgent of ['none', 'silent'] as const) {
      await using one = await lab({ datastore: 114, guestAgent });
      await one.snapshot();
      const { snapshots, error } = await one.look();
      expect(snapshots).toEqual([]);
      expect(error).toContain('DISKSNAPSHOTCREATE: Error creating snapshot lv-one-0-0_s0');
      expect((await one.sim.control.history(one.vm)).pauses).toEqual([]);
    }
  });

  test('what the guest wants to write meanwhile waits, and is not in the snapshot', async () => {
    await using one = await lab({ datastore: 102, format: 'raw' });
    await one.sim.control.hold(['snapshot']);
    await one.must('one.vm.disksnapshotcreate', one.vm, 0, 's');
    let written = false;
    const write = one.sim.control.write(one.vm, 0, 0, Buffer.from('late')).then(() => {
      written = true;
    });
    while ((await one.sim.control.state()).waiting.length === 0) await new Promise(setImmediate);
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    expect(written).toBe(false);
    await one.sim.control.release();
    await write;
    await one.sim.control.idle();
    expect(await one.bytes(await one.save('saved', 0), 4)).toBe('\0\0\0\0');
  });
});

describe('what `disksaveas -1` of a RUNNING VM holds', () => {
  const during = async (one: Lab, text: string, paused: boolean): Promise<number> => {
    await one.sim.control.write(one.vm, 0, 0, Buffer.from('begin'));
    await one.sim.control.hold(['saveas']);
    const image = Number(await one.must('one.vm.disksaveas', one.vm, 0, 'live', '', -1));
    while ((await one.sim.control.state()).waiting.length === 0) await new Promise(setImmediate);
    const write = one.sim.control.write(one.vm, 0, 0, Buffer.from(text));
    if (!paused) await write;
    await one.sim.control.release();
    await write;
    await one.sim.control.idle();
    return image;
  };

  test.each<readonly [string, Parameters<typeof lab>[0], string]>([
    ['qcow2: the end of the copy', { datastore: 100 }, 'after'],
    ['local', { datastore: 110, format: 'qcow2' }, 'after'],
    ['ssh', { datastore: 108 }, 'after'],
    ['lvm of 7.4: its beginning, by a snapshot of its own', { datastore: 116, version: '7.4.0' }, 'begin'],
    ['a Ceph image on ssh: its beginning, the guest stands still', { datastore: 104, systemDatastore: 109 }, 'begin'],
  ])('%s', async (_name, options, expected) => {
    await using one = await lab(options);
    expect(await one.bytes(await during(one, 'after', options.systemDatastore !== undefined), 5)).toBe(expected);
  });

  test('a Ceph image on ssh pauses the guest for the whole import', async () => {
    await using one = await lab({ datastore: 104, systemDatastore: 109 });
    await one.save('live', -1);
    expect((await one.sim.control.history(one.vm)).pauses).toMatchObject([{ how: 'suspended', why: 'saveas', bytes: MIB }]);
  });

  test('when blockcopy fails the guest is paused for the whole copy', async () => {
    await using one = await lab({ datastore: 100 });
    await one.save('good', -1);
    expect((await one.sim.control.history(one.vm)).pauses).toEqual([]);
    await one.sim.control.inject({ fault: 'block-copy' });
    await one.save('paused', -1);
    expect((await one.sim.control.history(one.vm)).pauses).toMatchObject([{ how: 'suspended', why: 'saveas', bytes: MIB }]);
  });

  test.each([104, 106, 112, 114])('datastore %i: no instant: what is written behind the copy is not in it', async (datastore) => {
    await using one = await lab({ datastore, sizeMiB: 2 });
    const { control } = one.sim;
    await control.hold(['saveas']);
    const image = Number(await one.must('one.vm.disksaveas', one.vm, 0, 'torn', '', -1));
    while ((await control.state()).waiting.length === 0) await new Promise(setImmediate);
    await control.write(one.vm, 0, 0, Buffer.from('x'));
    await control.release();
    await control.idle();
    expect(await one.bytes(image, 1)).toBe('\0'); // copied before the write, and not followed as a blockcopy does
  });
});

describe('disksaveas', () => {
  test.each<readonly [string, Parameters<typeof lab>[0], string]>([
    ['dev', { datastore: 118, persistent: true }, 'cpds: Operation not supported'],
    ['iscsi_libvirt', { datastore: 120, persistent: true }, 'cpds: Operation not supported'],
    ['a container on ssh', { datastore: 108, hypervisor: 'lxc' }, 'cpds: Live operation not supported on lxc'],
  ])('%s: the image ends in ERROR', async (_name, options, text) => {
    await using one = await lab(options);
    const image = await one.save('x', -1);
    const { error, images } = await one.look();
    expect(images.get(image)?.stateText).toBe('ERROR');
    expect(error).toContain(text);
  });

  test.each([
    ['undeploy', 'UNDEPLOYED', 67],
    ['stop', 'STOPPED', 68],
  ] as const)('%s: a Ceph image on ssh cannot be saved, a Ceph image can', async (verb, stateText, transient) => {
    for (const systemDatastore of [105, 109]) {
      await using one = await lab({ datastore: 104, systemDatastore });
      await one.act(verb);
      const image = await one.save('x', -1);
      const { images, vm, error } = await one.look();
      expect(vm.stateText).toBe(stateText);
      expect(images.get(image)?.stateText).toBe(systemDatastore === 109 ? 'ERROR' : 'READY');
      expect(error?.includes('Operation not supported on undeployed/stopped') ?? false).toBe(systemDatastore === 109);
      expect((await one.sim.control.history(one.vm)).states.slice(-2)[0]).toBe(transient === 67 ? 'HOTPLUG_SAVEAS_UNDEPLOYED' : 'HOTPLUG_SAVEAS_STOPPED');
    }
  });

  test.each(['stop', 'undeploy'])('%s: a snapshot is refused at once', async (verb) => {
    await using one = await lab({ datastore: 100 });
    await one.act(verb);
    const state = verb === 'stop' ? 'STOPPED' : 'UNDEPLOYED';
    expect(await one.call('one.vm.disksnapshotcreate', one.vm, 0, 's')).toMatchObject({
      code: 2048,
      value: `[one.vm.disksnapshotcreate] Could not create a new snapshot for VM ${one.vm}, wrong state ${state}.`,
    });
  });

  test('mkfs and cpds fail differently: only the first leaves its text on the image', async () => {
    await using one = await lab({ datastore: 100 });
    await one.sim.control.inject({ fault: 'driver', operation: 'saveas', phase: 'mkfs', text: 'no room' });
    const early = await one.save('early', -1);
    await one.sim.control.inject({ fault: 'driver', operation: 'saveas', phase: 'half', text: 'broken pipe' });
    const late = await one.save('late', -1);
    expect(await one.must('one.image.info', early)).toContain('Error creating datablock: no room');
    expect(await one.must('one.image.info', late)).not.toContain('<ERROR>');
    expect((await readFile(await one.sim.control.imagePath(late))).length).toBe(MIB / 2);
    expect((await one.look()).error).toContain('Error executing image transfer script: broken pipe');
  });
});

describe('a persistent disk whose copy lies on the host (ssh, local, fs_lvm)', () => {
  test.each([108, 110, 106])('datastore %i: its image has the old bytes until it is detached, then the new ones', async (datastore) => {
    await using one = await lab({ datastore: 100 });
    const { control } = one.sim;
    const image = Number(await one.must('one.image.allocate', 'NAME="kept"\nSIZE="1"\nPERSISTENT="YES"\nTYPE="DATABLOCK"', datastore, false));
    await control.idle();
    await one.must('one.vm.attach', one.vm, `DISK=[IMAGE_ID="${image}"]`);
    await control.idle();
    await control.write(one.vm, 2, 0, Buffer.from('new'));
    expect(await one.bytes(image, 3)).toBe('\0\0\0');
    await one.must('one.vm.detach', one.vm, 2);
    await control.idle();
    expect(await one.bytes(image, 3)).toBe('new');
  });

  test('so has a qcow2 image on a system datastore of driver ssh', async () => {
    await using one = await lab({ datastore: 100, systemDatastore: 109, persistent: true });
    await one.sim.control.write(one.vm, 0, 0, Buffer.from('new'));
    expect(await one.bytes(0, 3)).toBe('\0\0\0');
    await one.act('terminate-hard');
    expect(await one.bytes(0, 3)).toBe('new');
  });

  test('terminating the VM copies back too, deleting it with recover does not', async () => {
    for (const [how, expected] of [
      ['terminate', 'new'],
      ['recover', '\0\0\0'],
    ] as const) {
      await using one = await lab({ datastore: 108, persistent: true });
      await one.sim.control.write(one.vm, 0, 0, Buffer.from('new'));
      if (how === 'terminate') await one.must('one.vm.action', 'terminate-hard', one.vm);
      else await one.must('one.vm.recover', one.vm, 3);
      await one.sim.control.idle();
      expect(await one.bytes(0, 3)).toBe(expected);
    }
  });

  test('a detach that fails when the device is gone leaves the bytes on the host, and cannot be tried again while the guest runs', async () => {
    await using one = await lab({ datastore: 100, proxy: true });
    const { control } = one.sim;
    const image = Number(await one.must('one.image.allocate', 'NAME="kept"\nSIZE="1"\nPERSISTENT="YES"\nTYPE="DATABLOCK"', 108, false));
    await control.idle();
    await one.must('one.vm.attach', one.vm, `DISK=[IMAGE_ID="${image}",TARGET="sdk"]`);
    await control.idle();
    await control.write(one.vm, 2, 0, Buffer.from('new'));
    await control.inject({ fault: 'driver', operation: 'detach', phase: 'half', text: 'rsync failed' });
    await one.must('one.vm.detach', one.vm, 2);
    await control.idle();
    expect(await one.bytes(image, 3)).toBe('\0\0\0');
    await one.must('one.vm.detach', one.vm, 2);
    await control.idle();
    expect((await one.look()).error).toContain('Could not detach sdk');
    await one.act('poweroff-hard');
    await one.must('one.vm.detach', one.vm, 2);
    await control.idle();
    expect(await one.bytes(image, 3)).toBe('new');
  });
});

test('native incremental backup and snapshots exclude one another', async () => {
  await using one = await lab({ datastore: 100 });
  await one.must('one.vm.updateconf', one.vm, 'BACKUP_CONFIG=[MODE="INCREMENT"]', 1);
  expect(await one.call('one.vm.disksnapshotcreate', one.vm, 0, 's')).toMatchObject({ code: 2048 });
  await one.must('one.vm.updateconf', one.vm, 'BACKUP_CONFIG=[MODE="FULL"]', 1);
  await one.snapshot();
  await one.remove(0);
  expect(await one.call('one.vm.updateconf', one.vm, 'BACKUP_CONFIG=[MODE="INCREMENT"]', 1)).toMatchObject({ code: 2048 });
});
