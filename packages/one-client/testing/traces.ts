import {
  type Disk,
  IMAGE_STATE,
  type Image,
  type ImageId,
  imageGone,
  isDone,
  isFailed,
  isRunning,
  isStable,
  type OneApi,
  type Snapshot,
  type User,
  type Vm,
  type VmId,
  vmPoweredOff,
  vmRunning,
  vmSettled,
  vmStateName,
  vmTerminated,
} from '../src/index.ts';

/** Every name of the contract on this VM begins so; nothing else is ever removed. */
export const tracePrefix = (vm: VmId): string => `ov-contract-${vm}-`;

export interface TraceDeps {
  readonly api: OneApi;
  readonly me: User;
  readonly vm: VmId;
  readonly proxyVm: VmId;
  readonly timeoutMs: number;
  readonly maySpoilVm: boolean;
}

/**
 * Takes away what carries a name with this prefix: VMs, templates, attached disks, images, and snapshots of the VM, which is RUNNING afterwards. Found
 * by name, so that an object whose creation was never answered goes too. Tries everything, then looks again and throws naming what is left.
 */
export async function removeTraces(deps: TraceDeps, prefix: string): Promise<void> {
  const failures: string[] = [];
  const attempt = async (what: string, work: () => Promise<void>): Promise<void> => {
    await work().catch((error: unknown) => failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`));
  };
  await attempt('VMs', () => terminateVms(deps, prefix));
  await attempt('templates', () => deleteTemplates(deps, prefix));
  await attempt('attached disks', () => detachDisks(deps, prefix));
  await attempt('images', () => deleteImages(deps, prefix));
  await attempt('the VM', () => bringBack(deps));
  await attempt('snapshots', () => deleteSnapshots(deps, prefix));
  await attempt('the VM', () => bringBack(deps));
  const left = await tracesLeft(deps, prefix);
  if (left.length > 0) throw new Error(`the contract could not remove: ${left.join(', ')}${failures.length > 0 ? ` (${failures.join('; ')})` : ''}`);
}

async function tracesLeft(deps: TraceDeps, prefix: string): Promise<string[]> {
  const left: string[] = [];
  for await (const vm of ownVms(deps, prefix)) left.push(`VM ${vm.id} ${vm.name}`);
  for await (const template of deps.api.templates()) if (template.name.startsWith(prefix)) left.push(`template ${template.id} ${template.name}`);
  for await (const image of ownImages(deps, prefix)) left.push(`image ${image.id} ${image.name}`);
  const vm = await deps.api.vm(deps.vm);
  if (!isRunning(vm)) left.push(`the state of VM ${vm.id}, which is ${vmStateName(vm)}`);
  for (const { disk, snapshot } of snapshotsOf(vm, prefix)) {
    if (!(deps.maySpoilVm && disk.persistent && snapshot.id === 0)) left.push(`snapshot ${snapshot.id} of disk ${disk.diskId}`);
  }
  return left;
}

async function* ownVms({ api, me, vm, proxyVm }: TraceDeps, prefix: string): AsyncGenerator<{ readonly id: VmId; readonly name: string }> {
  for await (const one of api.vms()) if (one.name.startsWith(prefix) && one.uid === me.id && one.id !== vm && one.id !== proxyVm) yield one;
}

async function* ownImages({ api, me }: TraceDeps, prefix: string): AsyncGenerator<Image> {
  for await (const image of api.images()) if (image.name.startsWith(prefix) && image.uid === me.id) yield image;
}

async function terminateVms(deps: TraceDeps, prefix: string): Promise<void> {
  for await (const { id } of ownVms(deps, prefix)) {
    await deps.api.vmAction(id, 'terminate-hard');
    await deps.api.waitForVm(id, vmTerminated, { timeoutMs: deps.timeoutMs, what: 'the VM to be DONE' });
  }
}

async function deleteTemplates({ api }: TraceDeps, prefix: string): Promise<void> {
  for await (const template of api.templates()) if (template.name.startsWith(prefix)) await api.deleteTemplate(template.id);
}

async function detachDisks(deps: TraceDeps, prefix: string): Promise<void> {
  const settle = (what: string): Promise<Vm> => deps.api.waitForVm(deps.proxyVm, vmSettled, { timeoutMs: deps.timeoutMs, what });
  const proxy = await settle('the proxy to be idle');
  for (const disk of proxy.disks.filter((one) => one.imageName?.startsWith(prefix))) {
    await deps.api.detachDisk(deps.proxyVm, disk.diskId);
    await settle('the disk to be detached');
  }
}

async function deleteImages(deps: TraceDeps, prefix: string): Promise<void> {
  for await (const image of ownImages(deps, prefix)) {
    await deleteImage(deps, image.id, false).catch(() => deleteImage(deps, image.id, true));
  }
}

async function deleteImage({ api, timeoutMs }: TraceDeps, id: ImageId, force: boolean): Promise<void> {
  await api.waitForImage(id, (image) => (image?.state === IMAGE_STATE.LOCKED && !force ? 'wait' : 'done'), { timeoutMs, what: 'the image to be free' });
  await api.deleteImage(id, { force });
  await api.waitForImage(id, imageGone, { timeoutMs, what: 'the image to be deleted' });
}

/** RUNNING again, from wherever a case stopped. */
async function bringBack({ api, vm: id, timeoutMs }: TraceDeps): Promise<void> {
  const vm = await api.waitForVm(id, (now) => (isStable(now) || isDone(now) || isFailed(now) ? 'done' : 'wait'), { timeoutMs, what: 'the VM to be idle' });
  if (isRunning(vm)) return;
  await api.vmAction(id, 'resume');
  await api.waitForVm(id, vmRunning, { timeoutMs, what: 'the VM to be RUNNING' });
}

interface OwnSnapshot {
  readonly disk: Disk;
  readonly snapshot: Snapshot;
}

/** Youngest first: none has children of ours then. */
function snapshotsOf(vm: Vm, prefix: string): readonly OwnSnapshot[] {
  return vm.disks
    .flatMap((disk) => (vm.snapshots.find((one) => one.diskId === disk.diskId)?.snapshots ?? []).map((snapshot) => ({ disk, snapshot })))
    .filter(({ snapshot }) => snapshot.name?.startsWith(prefix) === true)
    .sort((a, b) => b.snapshot.id - a.snapshot.id);
}

/** While it runs first; what the storage cannot remove then, after switching it off. */
async function deleteSnapshots(deps: TraceDeps, prefix: string): Promise<void> {
  const { api, vm: id, timeoutMs } = deps;
  const deleteAll = async (): Promise<number> => {
    for (const { disk, snapshot } of snapshotsOf(await api.vm(id), prefix)) {
      await api.deleteDiskSnapshot(id, disk.diskId, snapshot.id).catch(() => undefined); // whether it is gone is what counts
      await api.waitForVm(id, vmSettled, { timeoutMs, what: 'the snapshot to be deleted' });
    }
    return snapshotsOf(await api.vm(id), prefix).filter(({ disk, snapshot }) => !(disk.persistent && snapshot.id === 0)).length;
  };
  if ((await deleteAll()) === 0) return;
  await api.vmAction(id, 'poweroff-hard');
  await api.waitForVm(id, vmPoweredOff, { timeoutMs, what: 'the VM to be POWEROFF' });
  await deleteAll();
}
