import { expect, test } from 'vitest';
import { type Lab, lab } from './lab.ts';

/** Which disk operation every state allows (opennebula.md b.1, c.4, f): the DispatchManager's own conditions, one row a state. */
const OPERATIONS = ['snapshot', 'delete', 'revert', 'saveas', 'attach', 'detach', 'resize'] as const;
type Row = readonly [state: string, reach: (one: Lab) => Promise<unknown>, allowed: readonly (typeof OPERATIONS)[number][]];

const fail = (one: Lab, operation: 'deploy' | 'action', phase: 'before' | 'after') => one.sim.control.inject({ fault: 'driver', operation, phase });
const failAfter = (verb: string, operation: 'deploy' | 'action', phase: 'before' | 'after') => async (one: Lab) => {
  if (operation === 'deploy') await one.act(verb);
  await fail(one, operation, phase);
  await one.act(operation === 'deploy' ? 'resume' : verb);
};
const hung = (verb: string) => async (one: Lab) => {
  await one.sim.control.inject({ fault: 'driver', operation: 'action', stuck: true });
  await one.act(verb);
};

const ROWS: readonly Row[] = [
  ['RUNNING', async () => undefined, ['snapshot', 'delete', 'saveas', 'attach', 'detach', 'resize']],
  ['POWEROFF', (one) => one.act('poweroff'), ['snapshot', 'delete', 'revert', 'saveas', 'attach', 'detach', 'resize']],
  ['SUSPENDED', (one) => one.act('suspend'), ['snapshot', 'delete', 'saveas']],
  ['STOPPED', (one) => one.act('stop'), ['saveas']],
  ['UNDEPLOYED', (one) => one.act('undeploy'), ['saveas', 'resize']],
  ['UNKNOWN', (one) => one.sim.control.monitored(one.vm, 'UNKNOWN'), []],
  ['DONE', (one) => one.act('terminate-hard'), []],
  ['SAVE_SUSPEND', hung('suspend'), []],
  ['SHUTDOWN_POWEROFF', hung('poweroff'), []],
  ['EPILOG_FAILURE', failAfter('terminate-hard', 'action', 'after'), []],
  ['EPILOG_STOP_FAILURE', failAfter('stop', 'action', 'after'), []],
  ['BOOT_UNDEPLOY_FAILURE', failAfter('undeploy', 'deploy', 'after'), []],
  ['PROLOG_RESUME_FAILURE', failAfter('stop', 'deploy', 'before'), []],
];

async function attempt(one: Lab, operation: (typeof OPERATIONS)[number]): Promise<boolean> {
  const { vm } = one;
  switch (operation) {
    case 'snapshot':
      return (await one.call('one.vm.disksnapshotcreate', vm, 0, 's')).ok;
    case 'delete':
      return (await one.call('one.vm.disksnapshotdelete', vm, 0, 0)).ok;
    case 'revert':
      return (await one.call('one.vm.disksnapshotrevert', vm, 0, 0)).ok;
    case 'saveas':
      return (await one.call('one.vm.disksaveas', vm, 0, 'saved', '', -1)).ok;
    case 'attach':
      return (await one.call('one.vm.attach', vm, 'DISK=[IMAGE_ID="0"]')).ok;
    case 'detach':
      return (await one.call('one.vm.detach', vm, 1)).ok;
    case 'resize':
      return (await one.call('one.vm.diskresize', vm, 0, '2')).ok;
  }
}

test.each(ROWS)('%s', async (state, reach, allowed) => {
  const seen: string[] = [];
  for (const operation of OPERATIONS) {
    await using one = await lab({ datastore: 100, disks: 2 });
    await one.snapshot();
    await reach(one);
    expect((await one.look()).vm.stateText).toBe(state);
    if (await attempt(one, operation)) seen.push(operation);
    await one.sim.control.idle();
    if (state !== 'DONE') expect((await one.look()).vm.stateText).toBe(state); // each ends where it began
  }
  expect(seen).toEqual(allowed);
});

test.each([
  ['PENDING', false],
  ['HOLD', true],
])('%s: nothing at all, the VM has no disks yet', async (state, hold) => {
  await using one = await lab({ datastore: 100 });
  for (const host of [0, 2]) await one.sim.control.setHostCapacity(host, { memoryMiB: 1 });
  const waiting = Number(await one.must('one.template.instantiate', 0, 'waiting', hold, '', false));
  await one.sim.control.idle();
  const found = (await one.sim.control.state()).vms.find((vm) => vm.id === waiting);
  expect(found?.stateText).toBe(state);
  const answers = [
    await one.call('one.vm.disksnapshotcreate', waiting, 0, 's'),
    await one.call('one.vm.disksaveas', waiting, 0, 'x', '', -1),
    await one.call('one.vm.attach', waiting, 'DISK=[IMAGE_ID="0"]'),
  ];
  expect(answers.map((answer) => [answer.ok, answer.code])).toEqual([
    [false, 2048],
    [false, 8192],
    [false, 2048],
  ]);
});
