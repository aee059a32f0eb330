import type { SimState } from '@onevault/one-sim';

/** The cloud as far as anybody can tell two states of it apart, ids included; VMs that are DONE are in the books and nowhere else. */
export interface CloudState {
  readonly vms: Readonly<Record<string, object>>;
  readonly images: Readonly<Record<string, object>>;
  readonly templates: Readonly<Record<string, string>>;
  readonly operations: number;
}

export function cloudState(state: SimState): CloudState {
  const living = state.vms.filter((vm) => vm.stateText !== 'DONE');
  return {
    vms: Object.fromEntries(
      living.map(({ id, name, stateText, lcmState, disks, snapshots }) => [
        id,
        {
          name,
          state: `${stateText} ${lcmState}`,
          disks: disks.map(({ diskId, imageId, target, serial, persistent }) => `${diskId} image ${imageId} ${target} ${serial} ${persistent}`),
          snapshots: snapshots.map(({ diskId, id: snapshot, name: called, active, parent }) => `${diskId}/${snapshot} ${called} ${active} ${parent}`),
        },
      ]),
    ),
    images: Object.fromEntries(
      state.images.map(({ id, name, stateText, persistent, sizeMiB, vmIds, snapshotIds, broken }) => [
        id,
        { name, state: stateText, persistent, sizeMiB, vmIds, snapshotIds, broken },
      ]),
    ),
    templates: Object.fromEntries(state.templates.map(({ id, name }) => [id, name])),
    operations: state.operations.length,
  };
}

/** What is in `after` and was not in `before`: the ids of new objects. Everything else must be the same. */
export function added(before: CloudState, after: CloudState): { readonly vms: number[]; readonly images: number[]; readonly templates: number[] } {
  const fresh = (of: 'vms' | 'images' | 'templates'): number[] =>
    Object.keys(after[of])
      .filter((id) => !(id in before[of]))
      .map(Number);
  return { vms: fresh('vms'), images: fresh('images'), templates: fresh('templates') };
}
