import { type VmId, vmId } from '@onevault/one-client';
import type { DiskAttacher } from '@onevault/proxy-attach';
import type { CloudObject } from '../cloud-object.ts';
import { JobError } from '../errors.ts';

export type AttachmentObject = Extract<CloudObject, { readonly kind: 'attachment' }>;

/** Who can detach disks, and from where. */
export interface Attachers {
  /** Of the VM this runs in, where devices can be seen too; undefined when it does not run in a VM of the cloud. */
  readonly attacher?: DiskAttacher | undefined;
  readonly proxyVm?: VmId | undefined;
  /** For another proxy VM (it was replaced, or the state directory moved): goes by the VM's body alone. */
  readonly attacherOf?: ((proxyVm: VmId) => DiskAttacher) | undefined;
}

/** Whoever can detach from the proxy VM of an attachment. */
export function attacherFor(attachers: Attachers, object: AttachmentObject): DiskAttacher {
  const { attacher, proxyVm, attacherOf } = attachers;
  if (attacher !== undefined && object.proxyVmId === proxyVm) return attacher;
  if (attacherOf !== undefined) return attacherOf(vmId(object.proxyVmId));
  throw new JobError({
    code: 'JOB_CLEANUP_FAILED',
    message: `disk with serial ${object.serial} is attached to VM ${object.proxyVmId}, in which this does not run`,
    details: { serial: object.serial, vmId: object.proxyVmId },
    hint: 'run onevault recover',
  });
}
