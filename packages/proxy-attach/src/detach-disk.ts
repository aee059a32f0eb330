import type { CallOptions } from '@onevault/base';
import type { ProxyVmView, SysfsDisk } from './attach-api.ts';
import { DetachTries } from './detach-tries.ts';
import { AttachError } from './errors.ts';
import { type GuestSide, guestSideOf, stillThere } from './guest-side.ts';
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

const MIB = 1024 ** 2;

/**
 * Detaches the disk with this serial and image and returns when it is gone from the VM body and from /sys; answers whether the body had it. What is not
 * there is detached. The answers of OpenNebula only decide what to try next; whether the disk is gone is read from the two places where it would be.
 */
export async function detachDisk(deps: HotplugDeps, attachment: Attachment, options: CallOptions = {}): Promise<boolean> {
  const tries = new DetachTries(deps);
  let guest: GuestSide | undefined;
  for (;;) {
    options.signal?.throwIfAborted();
    const view = await waitUntilIdle(deps, `the proxy VM to be free for detaching ${attachment.serial}`, deps.timeouts.busyMs, options);
    tries.first ??= view;
    const disk = diskOf(view, attachment);
    guest ??= await guestSide(deps, attachment, disk, view, options);
    if (disk === undefined) break;
    const failure = await tryDetach(deps, disk, tries, options);
    if (failure === undefined) break;
    if (!tries.mayContinue()) throw await detachFailed(deps, attachment, disk, guest, failure);
    deps.logger.warn({ diskId: disk.diskId, imageId: attachment.imageId, serial: attachment.serial, ...failure }, 'disk not detached, trying again');
    await tries.pause(options);
  }
  await deviceGone(deps, attachment, guest, options);
  await tries.outliveStragglers(options);
  return tries.calls > 0;
}

/** The guest's device of the disk, looked for while it should be there; what the kernel still keeps of it is brought to it. */
async function guestSide(deps: HotplugDeps, attachment: Attachment, disk: ProxyDisk | undefined, view: ProxyVmView, options: CallOptions): Promise<GuestSide> {
  const facts = { serial: attachment.serial, target: targetOf(deps, attachment, disk, view), sizeBytes: disk && disk.sizeMiB * MIB };
  const guest = guestSideOf(await deps.sysfs(options), facts);
  if (guest.certain === undefined) return guest;
  const { devicePath } = guest.certain;
  await deps.flush(devicePath).catch((error: unknown) => {
    deps.logger.warn({ devicePath, serial: attachment.serial, err: error }, 'device not flushed before its detach');
  });
  return guest;
}

/** The TARGET that says which device must go, where it says anything: one that the body has given to another disk says nothing of ours. */
function targetOf({ identification }: HotplugDeps, attachment: Attachment, disk: ProxyDisk | undefined, view: ProxyVmView): string | undefined {
  if (disk === undefined) return view.disks.some(({ target }) => target === attachment.target) || isVirtio(attachment.target) ? undefined : attachment.target;
  return isVirtio(disk.target) && identification.serialReachesGuest ? undefined : disk.target;
}

function isVirtio(target: string | undefined): boolean {
  return target?.startsWith('vd') ?? false;
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

/** One try. Undefined: the disk is no longer in the VM body. An answer that no retry will change is thrown. */
async function tryDetach(deps: HotplugDeps, disk: ProxyDisk, tries: DetachTries, options: CallOptions): Promise<DetachFailure | undefined> {
  let refusal: unknown;
  tries.called();
  try {
    await deps.api.detachDisk(disk.diskId, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    const kind = classifyRefusal(error);
    if (kind === 'refused') throw detachRefused(disk, error);
    if (kind === 'unanswered') tries.unanswered();
    refusal = error;
  }
  const timeoutMs = hotplugTimeoutMs(deps, disk.sizeMiB * MIB);
  const after = await waitUntilIdle(deps, `the detach of DISK ${disk.diskId}`, timeoutMs, options);
  const still = proxyPhase(after) !== 'gone' && after.disks.some((other) => isSame(other, disk));
  if (!still) return undefined;
  if (refusal !== undefined) return { cause: refusal };
  const oneMessage = newErrorText(tries.first ?? after, after);
  return oneMessage === undefined ? {} : { oneMessage };
}

/** DISK_IDs are reused after a detach; with image and serial the disk is the same one. */
function isSame(a: ProxyDisk, b: ProxyDisk): boolean {
  return a.diskId === b.diskId && a.imageId === b.imageId && parseSerial(a.serial) === parseSerial(b.serial);
}

async function deviceGone(deps: HotplugDeps, attachment: Attachment, guest: GuestSide, options: CallOptions): Promise<void> {
  let remaining = remainingDevice(await deps.sysfs(options), attachment, guest);
  if (remaining === undefined) return;
  const gone = await pollDevices(
    deps,
    (disks) => {
      remaining = remainingDevice(disks, attachment, guest);
      return remaining === undefined ? true : undefined;
    },
    options,
  );
  if (gone) return;
  const { devicePath } = remaining;
  throw new AttachError({
    code: 'ATTACH_DETACH_FAILED',
    message: `detach image ${attachment.imageId} from the proxy VM: OpenNebula lists it no more, but ${devicePath} is still there`,
    details: { serial: attachment.serial, imageId: attachment.imageId, devicePath, deviceGone: false },
    hint: 'release whatever uses the device in the proxy VM, then reboot the proxy VM if the device stays',
  });
}

/** Our serial must be nowhere, and what was found before must have gone. */
function remainingDevice(disks: readonly SysfsDisk[], attachment: Attachment, guest: GuestSide): SysfsDisk | undefined {
  return disks.find((disk) => parseSerial(disk.serial) === attachment.serial) ?? stillThere(guest, disks);
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

async function detachFailed(deps: HotplugDeps, attachment: Attachment, disk: ProxyDisk, guest: GuestSide, failure: DetachFailure): Promise<AttachError> {
  const device = remainingDevice(await deps.sysfs(), attachment, guest);
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
