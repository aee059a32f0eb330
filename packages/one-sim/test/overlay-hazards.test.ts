import { describe, expect, test } from 'vitest';
import { lab } from './lab.ts';

/** opennebula.md e.4: how oned's list of snapshots and the qcow2 files behind it come apart. */
describe.each([100, 110])('datastore %i: after a creation that failed, the next snapshot names a file that is not there', (datastore) => {
  test('it cannot be saved, reverted to or deleted, while the guest goes on', async () => {
    await using one = await lab({ datastore, format: 'qcow2' });
    await one.sim.control.inject({ fault: 'driver', operation: 'snapshot-create' });
    await one.snapshot();
    const drifted = await one.snapshot();
    expect(drifted).toBe(1);
    const image = await one.save('x', drifted);
    expect((await one.look()).images.get(image)?.stateText).toBe('ERROR');
    await one.remove(drifted);
    const after = await one.look();
    expect(after.snapshots).toEqual([drifted]);
    expect(after.vm.stateText).toBe('RUNNING');
    await one.act('poweroff');
    await one.revert(drifted);
    expect((await one.look()).error).toContain('Error executing image transfer script');
    expect((await one.look()).vm.stateText).toBe('POWEROFF');
  });

  test('a creation that failed after all was done leaves no drift', async () => {
    await using one = await lab({ datastore, format: 'qcow2' });
    await one.sim.control.inject({ fault: 'driver', operation: 'snapshot-create', phase: 'after' });
    await one.snapshot();
    const next = await one.snapshot();
    expect(await one.savedAs('x', next)).toBe('READY');
  });

  test('the live copy still works', async () => {
    await using one = await lab({ datastore, format: 'qcow2' });
    await one.sim.control.inject({ fault: 'driver', operation: 'snapshot-create' });
    await one.snapshot();
    expect(await one.savedAs('x', -1)).toBe('READY');
  });
});

test('storage with snapshots of its own does not drift', async () => {
  for (const datastore of [104, 108]) {
    await using one = await lab({ datastore });
    await one.sim.control.inject({ fault: 'driver', operation: 'snapshot-create' });
    await one.snapshot();
    const next = await one.snapshot();
    expect(await one.savedAs('x', next)).toBe('READY');
    await one.remove(next);
    expect((await one.look()).snapshots).toEqual([]);
  }
});

describe('the script asks whether the snapshot is ACTIVE without asking of which disk', () => {
  /** Disk 0 has 0 <- 1 <- 2 (active), disk 1 has 0 (active). */
  async function tangled(version: string) {
    const one = await lab({ datastore: 100, disks: 2, version });
    for (let n = 0; n < 3; n++) await one.snapshot(`a${n}`, 0);
    await one.snapshot('b0', 1);
    return one;
  }

  test.each(['7.0.2', '7.4.0'])('%s: deleting snapshot 0 of the one breaks its children while 0 of the other is active', async (version) => {
    await using one = await tangled(version);
    await one.remove(0, 0);
    expect([await one.savedAs('one', 1, 0), await one.savedAs('two', 2, 0)]).toEqual(['ERROR', 'ERROR']);
    expect((await one.look()).error).toContain('Error executing image transfer script');
    expect((await one.sim.control.history(one.vm)).harm).toEqual([
      'snapshot 1 of disk 0 lost its backing file with the deletion of snapshot 0',
      'snapshot 2 of disk 0 lost its backing file with the deletion of snapshot 0',
    ]);
  });

  test('the same deletion is harmless when no other disk has that id active', async () => {
    await using one = await tangled('7.0.2');
    await one.remove(0, 1);
    await one.remove(0, 0);
    const image = await one.save('one', 1, 0);
    expect((await one.look()).images.get(image)?.stateText).toBe('READY');
    expect((await one.sim.control.history(one.vm)).harm).toEqual([]);
  });
});

describe('snapshots of a SUSPENDED VM', () => {
  test('after a live snapshot the guest comes back writing into the file that was just frozen, and loses it when that is deleted', async () => {
    await using one = await lab({ datastore: 100 });
    const { control } = one.sim;
    await one.snapshot('live');
    await one.act('suspend');
    const offline = await one.snapshot('offline');
    await one.act('resume');
    await control.write(one.vm, 0, 0, Buffer.from('later'));
    expect(await one.bytes(await one.save('x', offline), 5)).toBe('later'); // not the instant of the snapshot
    await one.remove(offline);
    await control.write(one.vm, 0, 0, Buffer.from('gone!'));
    await one.act('poweroff');
    expect(Buffer.from(await control.read(one.vm, 0, 0, 5)).toString()).toBe('later');
    expect((await control.history(one.vm)).harm).toEqual([
      `the guest goes on writing into the frozen file of snapshot ${offline} of disk 0`,
      `what the guest wrote to disk 0 since snapshot ${offline} was deleted under it is lost`,
    ]);
  });

  test('without an earlier live snapshot nothing is harmed', async () => {
    await using one = await lab({ datastore: 100 });
    await one.act('suspend');
    const offline = await one.snapshot('offline');
    await one.act('resume');
    await one.sim.control.write(one.vm, 0, 0, Buffer.from('later'));
    expect(await one.bytes(await one.save('x', offline), 5)).toBe('\0\0\0\0\0');
    await one.remove(offline);
    expect((await one.sim.control.history(one.vm)).harm).toEqual([]);
  });
});

test('local: a snapshot whose older neighbour was removed live is not where the script looks for it', async () => {
  await using one = await lab({ datastore: 110, format: 'qcow2' });
  for (let n = 0; n < 4; n++) await one.snapshot();
  await one.remove(1);
  const image = await one.save('x', 2);
  expect((await one.look()).images.get(image)?.stateText).toBe('ERROR');
});

test('local: the base that cannot be deleted live is deleted when the VM is off', async () => {
  await using one = await lab({ datastore: 110, format: 'qcow2' });
  const only = await one.snapshot();
  await one.remove(only);
  expect((await one.look()).snapshots).toEqual([only]);
  await one.act('poweroff');
  await one.remove(only);
  expect((await one.look()).snapshots).toEqual([]);
});

test('a deletion that failed when the file was gone leaves a snapshot that is listed and cannot be read', async () => {
  await using one = await lab({ datastore: 100 });
  const id = await one.snapshot();
  await one.sim.control.inject({ fault: 'driver', operation: 'snapshot-delete', phase: 'after' });
  await one.remove(id);
  const image = await one.save('x', id);
  const { snapshots, images } = await one.look();
  expect(snapshots).toEqual([id]);
  expect(images.get(image)?.stateText).toBe('ERROR');
});
