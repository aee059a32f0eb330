import type { SimState } from '@onevault/one-sim';
import type { Mismatches } from './mismatches.ts';
import type { Stage } from './stage.ts';

/** Everything the cloud holds, by kind and id, so that two moments can be compared without believing any name. */
export async function takeStock(stage: Stage): Promise<Set<string>> {
  return stockOf(await stage.simulator.control.state());
}

function stockOf(state: SimState): Set<string> {
  const living = state.vms.filter((vm) => vm.stateText !== 'DONE');
  return new Set([
    ...living.map((vm) => `VM ${vm.id} ${vm.name}`),
    ...living.flatMap((vm) => vm.disks.map((disk) => `disk ${disk.diskId} of VM ${vm.id}`)),
    ...living.flatMap((vm) => vm.snapshots.map((snapshot) => `snapshot ${snapshot.id} of disk ${snapshot.diskId} of VM ${vm.id}`)),
    ...state.images.map((image) => `image ${image.id} ${image.name}`),
    ...state.images.flatMap((image) => image.snapshotIds.map((id) => `snapshot ${id} of image ${image.id}`)),
    ...state.templates.map((template) => `template ${template.id} ${template.name}`),
  ]);
}

/** Whatever is in the cloud now and was not before must be a restored VM, its disks, or an image of theirs. Returns how much is not. */
export async function proveClean(stage: Stage, before: ReadonlySet<string>, restored: readonly number[], mismatches: Mismatches): Promise<number> {
  stage.scene('Nothing left behind');
  const state = await stage.simulator.control.state();
  const vms = state.vms.filter((vm) => restored.includes(vm.id));
  const theirs = new Set([
    ...vms.map((vm) => `VM ${vm.id} ${vm.name}`),
    ...vms.flatMap((vm) => vm.disks.map((disk) => `disk ${disk.diskId} of VM ${vm.id}`)),
    ...state.images.filter((image) => image.vmIds.some((id) => restored.includes(id))).map((image) => `image ${image.id} ${image.name}`),
  ]);
  const now = stockOf(state);
  const left = [...now].filter((one) => !before.has(one) && !theirs.has(one));
  const missing = [...before].filter((one) => !now.has(one));
  stage.say(`in OpenNebula now and not before: ${[...theirs].filter((one) => /^(VM|image)/.test(one)).join(', ')}`);
  stage.say(`of ours besides that: ${left.length}${left.length === 0 ? '' : `: ${left.join(', ')}`}`);
  stage.say(`of others gone: ${missing.length}${missing.length === 0 ? '' : `: ${missing.join(', ')}`}`);
  for (const one of left) mismatches.note(`${one} was left behind`);
  for (const one of missing) mismatches.note(`${one} is gone`);
  return left.length;
}
