import { type Disk, imageId, isPoweredOff, type Vm, type VmId, vmStateName } from '@onevault/one-client';
import type { SwappedDisk } from '../cloud-object.ts';
import { JobError } from '../errors.ts';
import { type Standing, whereItStands } from '../in-place/where-it-stands.ts';
import { type CloudDeps, copyPatienceMs } from './cloud-deps.ts';
import { effectMissing } from './disk-snapshot.ts';
import { objectChanged } from './gone.ts';
import { awaitReady } from './image.ts';
import type { Send } from './send.ts';
import { twiceIfLost } from './twice-if-lost.ts';
import { settled, whenFree } from './when-free.ts';

/**
 * Brings one side of an exchange to its TARGET of a VM in POWEROFF: detaches what is there, attaches what shall be, and believes the VM's body only. What
 * stands already is left alone, so that it can be called again after any death. Not abortable: a VM without its disk helps nobody.
 */
export async function placeDisk(deps: CloudDeps, vmId: VmId, disk: SwappedDisk, side: 'back' | 'next'): Promise<void> {
  const placing: Placing = { deps, vmId, disk, done: side === 'back' ? ['old', 'back'] : ['next'], side };
  await twiceIfLost(`detach of ${disk.target} from VM ${vmId}`, (send) => clear(placing, send));
  await twiceIfLost(`attach of image ${disk[side].imageId} to VM ${vmId} as ${disk.target}`, (send) => fill(placing, send));
}

interface Placing {
  readonly deps: CloudDeps;
  readonly vmId: VmId;
  readonly disk: SwappedDisk;
  readonly side: 'back' | 'next';
  /** Where it stands when nothing is left to do. */
  readonly done: readonly Standing[];
}

async function clear({ deps, vmId, disk, done }: Placing, send: Send): Promise<void> {
  const what = `detach of ${disk.target} from VM ${vmId}`;
  const { before, found } = await whenFree(deps, vmId, what, async (vm) => {
    const now = look(vm, disk);
    if (now.found === undefined || done.includes(now.standing)) return { before: vm, found: undefined };
    const { diskId } = now.found;
    await send(() => deps.cloud.detachDisk(vm.id, diskId));
    return { before: vm, found: now.found };
  });
  if (found === undefined) return;
  // On drivers that copy, the disk goes home now (opennebula.md g.4).
  const after = await settled(deps, vmId, what, { timeoutMs: copyPatienceMs(deps.patience, found.sizeMiB) });
  if (after.disks.some(({ diskId, target }) => diskId === found.diskId && target === disk.target))
    throw effectMissing(before, after, `${what} was accepted, and the disk is still there`);
}

async function fill({ deps, vmId, disk, side, done }: Placing, send: Send): Promise<void> {
  const { imageId: wanted, attributes } = disk[side];
  const what = `attach of image ${wanted} to VM ${vmId} as ${disk.target}`;
  const { sizeMiB } = await awaitFreeImage(deps, vmId, disk, wanted);
  const before = await whenFree(deps, vmId, what, async (vm) => {
    if (!done.includes(look(vm, disk).standing))
      await send(() => deps.cloud.attachDisk(vm.id, { ...attributes, IMAGE_ID: String(wanted), TARGET: disk.target }));
    return vm;
  });
  const after = await settled(deps, vmId, what, { timeoutMs: copyPatienceMs(deps.patience, sizeMiB) });
  if (!done.includes(whereItStands(after, disk).standing)) throw effectMissing(before, after, `${what} was accepted, and the disk is not there`);
}

/** An image that was detached a moment ago may still count its VM; one that is in its place already is used, and shall be. */
async function awaitFreeImage(deps: CloudDeps, vmId: VmId, disk: SwappedDisk, wanted: number): Promise<{ readonly sizeMiB: number }> {
  const vm = await settled(deps, vmId, `exchange of ${disk.target}`, { timeoutMs: deps.patience.busyMs });
  const there = vm.disks.find(({ target, imageId: id }) => target === disk.target && id === wanted);
  return there ?? (await awaitReady(deps, imageId(wanted)));
}

/** What is somebody else's is not detached, and a VM that is not in POWEROFF is left alone. */
function look(vm: Vm, disk: SwappedDisk): { readonly standing: Standing; readonly found: Disk | undefined } {
  const now = whereItStands(vm, disk);
  if (now.standing === 'foreign')
    throw objectChanged(`${disk.target} of VM ${vm.id} '${vm.name}' is image ${now.found?.imageId ?? 'none'}, which somebody attached`, {
      vmId: vm.id,
      target: disk.target,
    });
  if (!isPoweredOff(vm)) throw swapBlocked(vm);
  return now;
}

export function swapBlocked(vm: Vm): JobError {
  return new JobError({
    code: 'JOB_SWAP_BLOCKED',
    message: `an exchange of disks of VM ${vm.id} '${vm.name}' is half done, and the VM is ${vmStateName(vm)}: it can only be ended in POWEROFF`,
    details: { vmId: vm.id, state: vmStateName(vm) },
    hint: `onevm poweroff ${vm.id} (onevm resume first, if it is SUSPENDED or UNDEPLOYED), then onevault recover`,
  });
}
