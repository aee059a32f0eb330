import type { CallOptions } from '@onevault/base';
import type { ProxyVmView } from './attach-api.ts';
import { AttachError } from './errors.ts';
import { disksWithSerial, findAttachment, type HotplugDeps, hotplugTimeoutMs, newErrorText, type ProxyDisk, pollDevices, waitUntilIdle } from './hotplug.ts';
import { proxyPhase, proxyStateError } from './proxy-phase.ts';
import { classifyRefusal } from './refusal.ts';
import { parseSerial } from './serial.ts';

export interface Attachment {
  readonly serial: string;
  readonly imageId: number;
  /** What it was attached as, when the caller knows: finds the disk in a VM body that does not repeat the SERIAL. */
  readonly target?: string;
}

/** A guest on q35 refuses an unplug for about 5 s after a plug (power indicator blinking), so the first retry comes after that. */
const FIRST_RETRY_MS = 6_000;
const MAX_RETRY_MS = 30_000;
const MIB = 1024 ** 2;

/**
 * Detaches the disk with this serial and image and returns when it is gone from the VM body and from /sys. What is not there is detached. The
 * answers of OpenNebula only decide what to try next; whether the disk is gone is read from the two places where it would be.
 */
export async function detachDisk(deps: HotplugDeps, attachment: Attachment, options: CallOptions = {}): Promise<void> {
  const { clock, timeouts } = deps;
  let first: ProxyVmView | undefined;
  let deadlineMs: number | undefined;
  let delayMs = FIRST_RETRY_MS;
  for (;;) {
    options.signal?.throwIfAborted();
    const before = await waitUntilIdle(deps, `the proxy VM to be free for detaching ${attachment.serial}`, timeouts.busyMs, options);
    first ??= before;
    const disk = diskOf(before, attachment);
    if (disk === undefined) break;
    const failure = await tryDetach(deps, disk, first, options);
    if (failure === undefined) break;
    deadlineMs ??= clock.monotonicMs() + timeouts.detachRetryMs;
    if (clock.monotonicMs() + delayMs > deadlineMs) throw await detachFailed(deps, attachment, disk, failure);
    deps.logger.warn({ diskId: disk.diskId, imageId: attachment.imageId, serial: attachment.serial, ...failure }, 'disk not detached, trying again');
    await clock.sleep(delayMs, options);
    delayMs = Math.min(delayMs * 2, MAX_RETRY_MS);
  }
  await deviceGone(deps, attachment, options);
}

/** The disk in the VM body, which must be of our image: a serial alone does not entitle to take a disk away. */
function diskOf(view: ProxyVmView, attachment: Attachment): ProxyDisk | undefined {
  if (proxyPhase(view) === 'gone') return undefined;
  const [first] = disksWithSerial(view, attachment.serial);
  const disk = findAttachment(view, attachment);
  if (disk === undefined) {
    if (first === undefined) return undefined;
    throw new AttachError({
      code: 'ATTACH_IMAGE_MISMATCH',
      message: `detach the disk with serial ${attachment.serial}: it is DISK ${first.diskId} of image ${first.imageId ?? 'none'}, not of image ${attachment.imageId}`,
      details: { diskId: first.diskId, imageId: attachment.imageId, serial: attachment.serial, target: first.target },
      hint: 'somebody changed the attachment; look at the proxy VM with onevm show and detach the disk by hand if it is not needed',
    });
  }
  const phase = proxyPhase(view);
  if (phase !== 'running' && phase !== 'poweroff') throw proxyStateError(view, `detach DISK ${disk.diskId}`);
  return disk;
}

interface DetachFailure {
  readonly oneMessage?: string;
  readonly cause?: unknown;
}

/** One try. Undefined: the disk is no longer in the VM body. An answer that no retry will change is thrown. `first`: the VM before the first try. */
async function tryDetach(deps: HotplugDeps, disk: ProxyDisk, first: ProxyVmView, options: CallOptions): Promise<DetachFailure | undefined> {
  let refusal: unknown;
  try {
    await deps.api.detachDisk(disk.diskId, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    if (classifyRefusal(error) === 'refused') throw detachRefused(disk, error);
    refusal = error;
  }
  const timeoutMs = hotplugTimeoutMs(deps, disk.sizeMiB * MIB);
  const after = await waitUntilIdle(deps, `the detach of DISK ${disk.diskId}`, timeoutMs, options);
  const still = proxyPhase(after) !== 'gone' && after.disks.some((other) => isSame(other, disk));
  if (!still) return undefined;
  if (refusal !== undefined) return { cause: refusal };
  const oneMessage = newErrorText(first, after);
  return oneMessage === undefined ? {} : { oneMessage };
}

/** DISK_IDs are reused after a detach; with image and serial the disk is the same one. */
function isSame(a: ProxyDisk, b: ProxyDisk): boolean {
  return a.diskId === b.diskId && a.imageId === b.imageId && parseSerial(a.serial) === parseSerial(b.serial);
}

async function deviceGone(deps: HotplugDeps, attachment: Attachment, options: CallOptions): Promise<void> {
  let devicePath: string | undefined;
  const gone = await pollDevices(
    deps,
    (disks) => {
      devicePath = disks.find((disk) => parseSerial(disk.serial) === attachment.serial)?.devicePath;
      return devicePath === undefined ? true : undefined;
    },
    options,
  );
  if (gone) return;
  throw new AttachError({
    code: 'ATTACH_DETACH_FAILED',
    message: `detach image ${attachment.imageId} from the proxy VM: OpenNebula lists it no more, but ${devicePath} is still there with serial ${attachment.serial}`,
    details: { serial: attachment.serial, imageId: attachment.imageId, ...(devicePath === undefined ? {} : { devicePath }), deviceGone: false },
    hint: 'release whatever uses the device in the proxy VM, then reboot the proxy VM if the device stays',
  });
}

function detachRefused(disk: ProxyDisk, cause: unknown): AttachError {
  return new AttachError({
    code: 'ATTACH_DETACH_FAILED',
    message: `detach DISK ${disk.diskId} from the proxy VM: OpenNebula refused: ${textOf(cause)}`,
    details: { ...factsOf(disk), oneMessage: textOf(cause) },
    hint: 'the product needs MANAGE rights on the proxy VM, and the proxy VM must not be locked (onevm unlock)',
    cause,
  });
}

async function detachFailed(deps: HotplugDeps, attachment: Attachment, disk: ProxyDisk, failure: DetachFailure): Promise<AttachError> {
  const disks = await deps.sysfs();
  const device = disks.find((candidate) => parseSerial(candidate.serial) === attachment.serial);
  const reason = failure.oneMessage ?? (failure.cause === undefined ? 'the disk is still in the VM body' : textOf(failure.cause));
  return new AttachError({
    code: 'ATTACH_DETACH_FAILED',
    message: `detach DISK ${disk.diskId} (image ${attachment.imageId}) from the proxy VM: ${reason}`,
    details: {
      ...factsOf(disk),
      deviceGone: device === undefined,
      ...(device === undefined ? {} : { devicePath: device.devicePath, holders: device.holders }),
      ...(failure.oneMessage === undefined ? {} : { oneMessage: failure.oneMessage }),
    },
    retryable: device !== undefined,
    hint:
      device === undefined
        ? 'the guest has released the device but OpenNebula still lists the disk: power the proxy VM off, detach the disk there, and resume it'
        : 'the proxy VM does not release the device: close what uses it (LVM, multipath, a mount), then run again',
    ...(failure.cause === undefined ? {} : { cause: failure.cause }),
  });
}

function factsOf(disk: ProxyDisk): { diskId: number; target: string; imageId?: number; serial?: string } {
  const { diskId, target, imageId, serial } = disk;
  return { diskId, target, ...(imageId === undefined ? {} : { imageId }), ...(serial === undefined ? {} : { serial }) };
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
