import { expect, test } from 'vitest';
import { isPoweredOff, isSuspended, snapshotId, VM_STATE, type Vm, type VmAction, vmPoweredOff, vmRunning } from '../../src/index.ts';
import { imageDisks, type Lab, refused, snapshotsOf } from '../lab.ts';
import { behaviourOf } from '../storage-behaviour.ts';

/** The VM stopped in every way, captured there, and started again. Answers come before the state moves: each step waits for its state. */
export function powerCases(lab: () => Lab, slow: { readonly timeout: number }): void {
  test('a VM that is off is captured, reverted to a snapshot, and runs again', slow, async (context) => {
    const { api, cloud } = lab();
    await lab().settle(cloud.vm, 'the VM to be idle');
    await api.vmAction(cloud.vm, 'poweroff-hard');
    const off = await api.waitForVm(cloud.vm, vmPoweredOff, { timeoutMs: cloud.operationTimeoutMs, what: 'the VM to be POWEROFF' });
    await refused(api.vmAction(cloud.vm, 'suspend'), 'ONE_ACTION');
    await savedWhileOff(lab(), off, 'off');
    const disk = imageDisks(off).find((one) => !one.persistent && behaviourOf(lab().version, off, one)?.offlineSnapshot === 'taken');
    if (disk) {
      const first = await api.createDiskSnapshot(cloud.vm, disk.diskId, lab().name('off-1'));
      await lab().settle(cloud.vm, 'the first snapshot to be taken');
      const second = await api.createDiskSnapshot(cloud.vm, disk.diskId, lab().name('off-2'));
      const two = await lab().settle(cloud.vm, 'the second snapshot to be taken');
      expect(snapshotsOf(two, disk).map((one) => one.id)).toEqual(expect.arrayContaining([first, second]));
      await api.revertDiskSnapshot(cloud.vm, disk.diskId, first);
      const reverted = await lab().settle(cloud.vm, 'the disk to be reverted');
      expect(isPoweredOff(reverted)).toBe(true);
      expect(snapshotsOf(reverted, disk).find((one) => one.id === first)).toMatchObject({ active: true });
      for (const snapshot of [second, first]) {
        await api.deleteDiskSnapshot(cloud.vm, disk.diskId, snapshot).catch(() => undefined); // drivers differ; the end of the suite removes what stays
        await lab().settle(cloud.vm, 'the snapshot to be deleted');
      }
    }
    await startAgain(lab());
    if (!disk) lab().lacks(context, 'disk of which a snapshot is taken while the VM is off');
  });

  test('a VM that is suspended is captured, and does not revert a disk', slow, async () => {
    const { api, cloud } = lab();
    await lab().settle(cloud.vm, 'the VM to be idle');
    await api.vmAction(cloud.vm, 'suspend');
    const suspended = await api.waitForVm(cloud.vm, (vm) => (isSuspended(vm) ? 'done' : 'wait'), {
      timeoutMs: cloud.operationTimeoutMs,
      what: 'the VM to be SUSPENDED',
    });
    await savedWhileOff(lab(), suspended, 'suspended');
    const [disk] = imageDisks(suspended);
    if (disk) await refused(api.revertDiskSnapshot(cloud.vm, disk.diskId, snapshotId(0)), 'ONE_ACTION');
    await startAgain(lab());
  });

  test.each<readonly [VmAction, number]>([
    ['stop', VM_STATE.STOPPED],
    ['undeploy', VM_STATE.UNDEPLOYED],
  ])('a VM after %s is captured, and is deployed again', slow, async (action, state) => {
    const { api, cloud } = lab();
    await lab().settle(cloud.vm, 'the VM to be idle');
    await api.vmAction(cloud.vm, action);
    const stopped = await api.waitForVm(cloud.vm, (vm) => (vm.state === state ? 'done' : 'wait'), {
      timeoutMs: cloud.operationTimeoutMs,
      what: `the VM after ${action}`,
    });
    await savedWhileOff(lab(), stopped, action);
    await startAgain(lab());
  });
}

/** Every disk that nobody writes to is saved as it is. */
async function savedWhileOff(lab: Lab, vm: Vm, name: string): Promise<void> {
  for (const disk of imageDisks(vm)) {
    if (behaviourOf(lab.version, vm, disk)?.saves !== true) continue;
    const saved = await lab.api.saveDiskAs(vm.id, disk.diskId, lab.name(`${name}-${disk.diskId}`), undefined);
    const after = await lab.settle(vm.id, 'the disk to be saved');
    expect(after.state).toBe(vm.state);
    expect(await lab.untilReady(saved)).toMatchObject({ sizeMiB: disk.sizeMiB, datastoreId: disk.datastoreId });
  }
}

async function startAgain(lab: Lab): Promise<void> {
  await lab.api.vmAction(lab.cloud.vm, 'resume');
  await lab.api.waitForVm(lab.cloud.vm, vmRunning, { timeoutMs: lab.cloud.operationTimeoutMs, what: 'the VM to be RUNNING' });
}
