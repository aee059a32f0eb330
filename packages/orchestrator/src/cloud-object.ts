import type { StepName } from './events.ts';

/**
 * An object of ours in the cloud, by the name it was given before it existed: enough to find it again when the answer that carried its id was lost.
 * A snapshot also knows the image of its disk: a persistent disk that is detached, or whose VM ends, takes its snapshots home to its image.
 */
export type CloudObject =
  | { readonly kind: 'snapshot'; readonly vmId: number; readonly diskId: number; readonly name: string; readonly imageId?: number | undefined }
  /** `savedFrom`: the image (ours) of the disk it is saved from, under a name that is the user's: OpenNebula writes that on it, and ids are never used twice. */
  | { readonly kind: 'image'; readonly name: string; readonly savedFrom?: number | undefined }
  | { readonly kind: 'attachment'; readonly proxyVmId: number; readonly imageId: number; readonly serial: string }
  /** A disk of a VM that is not the proxy: part of what a restore makes. `imageId` is an image of ours, so no other disk can have it. */
  | { readonly kind: 'disk'; readonly vmId: number; readonly imageId: number; readonly sizeMiB: number }
  | { readonly kind: 'template'; readonly name: string }
  | { readonly kind: 'vm'; readonly name: string }
  /** A VM that we stopped; taken back by bringing it to what it was. */
  | { readonly kind: 'power'; readonly vmId: number; readonly was: 'RUNNING'; readonly seq: number }
  /** Disks of a stopped VM on their way to snapshots: all of them or none. Half done, it is taken back by finishing it (`cloud/finish-revert.ts`). */
  | { readonly kind: 'revert'; readonly vmId: number; readonly seq: number; readonly disks: readonly RevertedDisk[] };

/** `seq`, above: the VM's last HISTORY record right before: what came after it tells whether somebody started the VM since. */
export interface RevertedDisk {
  readonly diskId: number;
  readonly imageId: number;
  readonly snapshotId: number;
  readonly name: string;
}

/** The step that takes an object away. */
export const UNDO_STEPS = {
  snapshot: 'delete-snapshot',
  image: 'delete-image',
  attachment: 'detach',
  disk: 'detach',
  template: 'delete-template',
  vm: 'terminate-vm',
  power: 'start-vm',
  revert: 'revert-snapshot',
} as const satisfies Record<CloudObject['kind'], StepName>;

export function diskOf(object: CloudObject): { readonly diskId?: number } {
  return object.kind === 'snapshot' ? { diskId: object.diskId } : {};
}

/** For a person: what it is called and where to find it. */
export function describeObject(object: CloudObject, id?: number): string {
  const number = id === undefined ? '' : ` (id ${id})`;
  switch (object.kind) {
    case 'snapshot':
      return `snapshot ${object.name}${number} of disk ${object.diskId} of VM ${object.vmId}`;
    case 'image':
      return `image ${object.name}${number}`;
    case 'attachment':
      return `disk with serial ${object.serial} (image ${object.imageId}) attached to proxy VM ${object.proxyVmId}`;
    case 'disk':
      return `image ${object.imageId} as a disk of VM ${object.vmId}`;
    case 'template':
      return `template ${object.name}${number}`;
    case 'vm':
      return `VM ${object.name}${number}`;
    case 'power':
      return `VM ${object.vmId}, which was ${object.was} before this run stopped it`;
    case 'revert':
      return `revert of VM ${object.vmId} that was begun: ${object.disks.map((disk) => `disk ${disk.diskId} to snapshot ${disk.snapshotId} '${disk.name}'`).join(', ')}`;
  }
}
