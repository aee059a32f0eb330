import { expect, test } from 'vitest';
import { connectControl } from '../src/index.ts';
import { watchGuest } from '../testing/index.ts';
import { lab, MIB } from './lab.ts';

test('operations on its disks are no harm, whatever state the VM rests in', async () => {
  for (const verb of [undefined, 'poweroff', 'suspend'] as const) {
    await using one = await lab({ datastore: 100 });
    if (verb) await one.act(verb);
    const watch = await watchGuest(one.sim.control, one.vm);
    const id = await one.snapshot();
    await one.save('x', id);
    await one.save('y', -1);
    await one.remove(id);
    expect(await watch.problems()).toEqual([]);
  }
});

test('a pause for a whole copy is, and so is a stop, even when it is over; what was before is not counted', async () => {
  await using one = await lab({ datastore: 102, format: 'raw' });
  await one.snapshot();
  const watch = await watchGuest(one.sim.control, one.vm);
  expect(await watch.problems()).toEqual([]);
  await one.snapshot();
  await one.act('suspend');
  await one.act('resume');
  expect(await watch.problems()).toEqual([
    'it was SAVE_SUSPEND, having been RUNNING',
    'it was SUSPENDED, having been RUNNING',
    'it was BOOT_SUSPENDED, having been RUNNING',
    `its guest was suspended for the snapshot of disk 0, while ${MIB} bytes were copied`,
  ]);
});

test('an operation that never ended leaves the VM elsewhere; the watch works over HTTP too', async () => {
  await using one = await lab({ datastore: 100 });
  const watch = await watchGuest(connectControl(one.sim.endpoint), one.vm);
  await one.sim.control.inject({ fault: 'driver', operation: 'saveas', stuck: true });
  await one.save('x', -1);
  expect(await watch.problems()).toEqual(['it is HOTPLUG_SAVEAS, having been RUNNING']);
});
