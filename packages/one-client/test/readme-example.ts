import { createOneClient, type Environment, findConnection, isRunning, vmSettled, vmStateShortName } from '@onevault/one-client';

/** Takes a snapshot of the first disk of every running VM, and says where each VM then stands. */
export async function snapshotAll(environment: Environment, print: (line: string) => void): Promise<void> {
  await using one = createOneClient(await findConnection(environment));
  for await (const { id, name } of one.vms()) {
    const vm = await one.vm(id);
    const disk = vm.disks[0];
    if (!disk || !isRunning(vm)) continue;
    const snapshot = await one.createDiskSnapshot(id, disk.diskId, 'nightly'); // accepted, not yet there
    const after = await one.waitForVm(id, vmSettled, { timeoutMs: 300_000, what: `snapshot ${snapshot} of disk ${disk.diskId}` });
    const taken = after.snapshots.some((one) => one.diskId === disk.diskId && one.snapshots.some((it) => it.id === snapshot));
    print(`${id} ${name} ${vmStateShortName(after)} ${taken ? `snapshot ${snapshot}` : after.error}`);
  }
}
