import { type CallOptions, errorCode, isBaseError } from '@onevault/base';
import type { AttachedDisk } from '@onevault/proxy-attach';
import { JobError } from './errors.ts';
import { type AttachedDeps, openAttached } from './open-attached.ts';

/** What a copy is of, to say which one is broken. */
export interface CopyFacts {
  readonly diskId: number;
  readonly imageId: number;
}

const PROBE_BYTES = 4096;

/**
 * An image can be READY and still be unreadable (M.1): a qcow2 file whose backing file is not there may give a device, even one of the right size, that
 * fails to be read. So its first and its last bytes are read.
 */
export async function proveReadable(deps: AttachedDeps, attached: AttachedDisk, options: CallOptions): Promise<void> {
  await using device = await openAttached(deps, attached, options);
  const probe = new Uint8Array(Math.min(PROBE_BYTES, device.sizeBytes));
  await device.readInto(0, probe, options);
  await device.readInto(device.sizeBytes - probe.length, probe, options);
}

/**
 * What the VM body says when QEMU cannot make a disk of a file: no backing file, or a content that is not what the image's FORMAT says. The reason itself
 * is in the VM's log only: ERROR has the script's own words (vmm/kvm/attach_disk), cut at 100 characters. A proxy VM without a free port looks the same.
 */
const HYPERVISOR_REFUSAL = /\bATTACHDISK: .*\bCould not attach\b/i;

/** The error as what it means for a copy that OpenNebula called READY: that it is broken. Any other error comes back as it is. */
export function asBrokenCopy(error: unknown, { diskId, imageId }: CopyFacts): unknown {
  const why = reasonOf(error);
  if (why === undefined) return error;
  return new JobError({
    code: 'JOB_IMAGE_BROKEN',
    message: `the copy of disk ${diskId} (image ${imageId}) is READY and cannot be used: ${why}`,
    details: { diskId, imageId },
    hint: 'the storage driver made a copy that depends on a file which is not there, or of another format than it says (TM_MAD local does so for a snapshot that has a parent): let onevault choose the capture method (--capture auto), or look at the image on the front-end with qemu-img info. If no disk at all can be attached, the proxy VM has no free port for one: --bus sd',
    cause: error,
  });
}

function reasonOf(error: unknown): string | undefined {
  switch (errorCode(error)) {
    case 'ATTACH_DEVICE_SIZE':
      return `its device has another size than the disk (${messageOf(error)})`;
    case 'CBT_READ_FAILED':
    case 'CBT_SHORT_READ':
      return `its first or last bytes cannot be read (${messageOf(error)})`;
    case 'ATTACH_FAILED': {
      const oneMessage = isBaseError(error) && 'oneMessage' in error.details ? String(error.details['oneMessage']) : '';
      return HYPERVISOR_REFUSAL.test(oneMessage) ? `the hypervisor cannot attach it (${oneMessage})` : undefined;
    }
    default:
      return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
