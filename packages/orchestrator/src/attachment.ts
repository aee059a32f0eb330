import { type CallOptions, errorCode } from '@onevault/base';
import { type AttachedDisk, newSerial } from '@onevault/proxy-attach';
import type { JobDeps } from './ports.ts';
import { asBrokenCopy, proveReadable } from './readable-copy.ts';
import type { Owned, Run } from './run.ts';

export interface AttachSpec {
  /** Disk of the VM that is backed up or restored, for events. */
  readonly diskId: number;
  readonly image: Owned;
  readonly sizeBytes: number;
  readonly readOnly: boolean;
}

/** An image as a device of the proxy, and the duty to detach it. */
export interface Attachment extends Owned {
  readonly attached: AttachedDisk;
}

/** Attaches a copy that OpenNebula calls READY and proves that it can be read; JOB_IMAGE_BROKEN when it cannot. It stays attached until the run undoes it. */
export async function attachCopy(deps: JobDeps, run: Run, spec: Omit<AttachSpec, 'readOnly'>, options: CallOptions): Promise<Attachment> {
  try {
    const attachment = await attachToProxy(deps, run, { ...spec, readOnly: true }, options);
    await proveReadable(deps, attachment.attached, options);
    return attachment;
  } catch (error) {
    throw asBrokenCopy(error, { diskId: spec.diskId, imageId: spec.image.id });
  }
}

/** Attaches an image to the proxy under a serial of its own, journalled before the call, and identifies its device beyond doubt. */
export async function attachToProxy(deps: JobDeps, run: Run, spec: AttachSpec, options: CallOptions): Promise<Attachment> {
  const { diskId, image, sizeBytes, readOnly } = spec;
  const serial = newSerial(deps.randomBytes);
  const made: AttachedDisk[] = [];
  const owned = await run.step('attach', { diskId, object: serial }, () =>
    run.create({ kind: 'attachment', proxyVmId: deps.proxyVm, imageId: image.id, serial }, async (send) => {
      try {
        const attached = await deps.attacher.attach({ imageId: image.id, sizeBytes, serial, readOnly }, options);
        made.push(attached);
        return attached.diskId;
      } catch (error) {
        // An attach that fails has taken back what it did, unless it says otherwise.
        if (errorCode(error) !== 'ATTACH_DETACH_FAILED') throw error;
        return send(() => Promise.reject(error));
      }
    }),
  );
  const [attached] = made;
  if (attached === undefined) throw new TypeError('an attach ended without a disk and without an error');
  return { ...owned, attached };
}
