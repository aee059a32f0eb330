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
  | { readonly kind: 'revert'; readonly vmId: number; readonly seq: number; readonly disks: readonly RevertedDisk[] }
  /** Disks of a stopped VM on their way to other images: all of them or none. Half done, it is taken back by bringing the old ones back (`cloud/swap-back.ts`). */
  | SwapObject
  /** An image that is written over. Its persistence is taken back; what it holds is neither old nor new, and it says so itself (`delta/overwrite-image.ts`). */
  | { readonly kind: 'overwrite'; readonly imageId: number; readonly name: string; readonly persistent: boolean };

/** `seq`, above: the VM's last HISTORY record right before: what came after it tells whether somebody started the VM since. */
export interface RevertedDisk {
  readonly diskId: number;
  readonly imageId: number;
  readonly snapshotId: number;
  readonly name: string;
}

export interface SwapObject {
  readonly kind: 'swap';
  readonly vmId: number;
  /** What the images that were replaced are kept under: the id of the run. */
  readonly set: string;
  /** RFC 3339: when they were replaced, and until when they are kept. */
  readonly since: string;
  readonly until: string;
  /** OS/BOOT with its disks by TARGET, which they keep; their DISK_IDs they do not. */
  readonly boot?: string | undefined;
  readonly pointId?: string | undefined;
  readonly disks: readonly SwappedDisk[];
}

/** One disk of the VM: what it was, what has its bytes once it is detached, and what takes its place. */
export interface SwappedDisk {
  readonly target: string;
  readonly diskId: number;
  readonly imageId: number;
  /** Of a persistent disk its own image; of any other a copy, since what the guest wrote dies with the detach. */
  readonly back: Placement;
  readonly next: Placement;
}

/** An image, and the attributes of the DISK it is attached with. */
export interface Placement {
  readonly imageId: number;
  readonly attributes: Readonly<Record<string, string>>;
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
  swap: 'swap-back',
  overwrite: 'set-persistence',
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
    case 'swap':
      return `exchange of disks of VM ${object.vmId} that was begun: ${object.disks.map((disk) => `${disk.target} from image ${disk.back.imageId} to ${disk.next.imageId}`).join(', ')}`;
    case 'overwrite':
      return `image ${object.imageId} ${object.name}, which was being written over`;
  }
}
