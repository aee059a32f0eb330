import { type CallOptions, errorCode, isRetryable } from '@onevault/base';
import type { AttachedDisk, AttachRequest, IdentifiedBy, ProxyVmView, SysfsDisk } from './attach-api.ts';
import { awaitDevice } from './await-device.ts';
import { detachDisk } from './detach-disk.ts';
import { AttachError } from './errors.ts';
import { disksWithSerial, findAttachment, type HotplugDeps, hotplugTimeoutMs, newErrorText, type ProxyDisk, STRAGGLER_MS, waitUntilIdle } from './hotplug.ts';
import { proxyPhase, proxyStateError } from './proxy-phase.ts';
import { classifyRefusal } from './refusal.ts';
import { freeTarget } from './target.ts';

/** Others may plug disks into the proxy VM between our look and our call; a proxy where that happens this often is not ours to use. */
const MAX_TARGET_TRIES = 8;
/** Between tries on a proxy VM that became busy between our look and our call. */
const BUSY_RETRY_MS = 2_000;

/** One attach from the first look to the checked device; whatever fails after OpenNebula may have accepted is taken back before it is thrown. */
export async function attachDisk(deps: HotplugDeps, request: AttachRequest, options: CallOptions): Promise<AttachedDisk> {
  requireIdentifiable(deps, request);
  const before = await accepted(deps, request, options);
  try {
    const disk = await attachedDisk(deps, request, before, options);
    const { device, by } = await awaitDevice(deps, { ...request, target: before.target }, before.devices, options);
    if (by === 'difference') await requireAloneInBody(deps, request, before, disk, options);
    deps.logger.debug({ imageId: request.imageId, target: before.target, device: device.name, by }, 'disk attached and identified');
    return attached(request, disk, device, by);
  } catch (error) {
    await takeBack(deps, request, before.target, error);
    throw error;
  }
}

function attached(request: AttachRequest, disk: ProxyDisk, device: SysfsDisk, identifiedBy: IdentifiedBy): AttachedDisk {
  const { name, serial, scsi, sequence, devicePath, sizeBytes } = device;
  return {
    diskId: disk.diskId,
    imageId: request.imageId,
    serial: request.serial,
    target: disk.target,
    devicePath,
    sizeBytes,
    readOnly: request.readOnly,
    identifiedBy,
    device: { name, serial, scsi, sequence },
  };
}

/** Refused before anything is plugged: afterwards it could only be guessed. */
function requireIdentifiable({ identification: { bus, serialReachesGuest, byDifference } }: HotplugDeps, request: AttachRequest): void {
  if (serialReachesGuest || bus === 'sd' || byDifference) return;
  throw new AttachError({
    code: 'ATTACH_UNIDENTIFIABLE',
    message: `attach image ${request.imageId}: on bus ${bus} this OpenNebula gives its device neither a serial nor a known address`,
    details: { imageId: request.imageId },
    hint: 'use bus sd, where the TARGET stands for a SCSI address; SERIAL reaches hot-attached disks since OpenNebula 7.0.2',
  });
}

/**
 * The difference proves a device only if nothing else was plugged: OpenNebula plugs one disk at a time, so when the body has our disk and otherwise what
 * it had before, no other can have come.
 */
async function requireAloneInBody(deps: HotplugDeps, request: AttachRequest, before: Accepted, disk: ProxyDisk, options: CallOptions): Promise<void> {
  const now = await deps.api.view(options);
  const keys = (disks: readonly ProxyDisk[]): string => disks.map(({ diskId, imageId, target }) => `${diskId} ${imageId} ${target}`).join();
  const others = now.disks.filter(({ diskId }) => diskId !== disk.diskId);
  if (proxyPhase(now) === 'running' && keys(others) === keys(before.view.disks)) return;
  throw new AttachError({
    code: 'ATTACH_DEVICE_AMBIGUOUS',
    message: `find the device of image ${request.imageId}: somebody else plugged or unplugged disks of the proxy VM at the same time`,
    details: { imageId: request.imageId, serial: request.serial, diskId: disk.diskId, target: disk.target },
    retryable: true,
    hint: 'use bus sd, or leave the proxy VM to onevault alone while it works',
  });
}

/** The VM and the guest's disks as they were just before the call that OpenNebula accepted, and the TARGET it was given. */
interface Accepted {
  readonly view: ProxyVmView;
  readonly devices: readonly SysfsDisk[];
  readonly target: string;
}

/** Calls until OpenNebula accepts: the next TARGET when one was taken in between, again later when the VM was busy. */
async function accepted(deps: HotplugDeps, request: AttachRequest, options: CallOptions): Promise<Accepted> {
  const deadlineMs = deps.clock.monotonicMs() + deps.timeouts.busyMs;
  const refused = new Set<string>();
  for (;;) {
    options.signal?.throwIfAborted();
    const view = await readyProxy(deps, request, deadlineMs, options);
    const devices = await devicesBefore(deps, options);
    const target = freeTarget(view, deps.identification.bus, { refused, devices });
    const answer = await callAttach(deps, request, target, options);
    if (answer === undefined) return { view, devices, target };
    if (answer.refusal === 'target-taken') {
      refused.add(target);
      if (refused.size >= MAX_TARGET_TRIES) throw attachRefused(request, answer.error);
    } else {
      if (deps.clock.monotonicMs() >= deadlineMs) throw busyTooLong(deps, request, answer.error);
      await deps.clock.sleep(BUSY_RETRY_MS, options);
    }
    deps.logger.debug({ imageId: request.imageId, target, refusal: answer.refusal }, 'attach refused, trying again');
  }
}

/** A serial of ours is on no device before the attach; an address may be, and a difference is one to something. */
async function devicesBefore(deps: HotplugDeps, options: CallOptions): Promise<readonly SysfsDisk[]> {
  const { bus, serialReachesGuest } = deps.identification;
  return bus === 'sd' || !serialReachesGuest ? await deps.sysfs(options) : [];
}

async function readyProxy(deps: HotplugDeps, request: AttachRequest, deadlineMs: number, options: CallOptions): Promise<ProxyVmView> {
  const timeoutMs = Math.max(0, deadlineMs - deps.clock.monotonicMs());
  const view = await waitUntilIdle(deps, `the proxy VM to be free for attaching image ${request.imageId}`, timeoutMs, options);
  if (proxyPhase(view) !== 'running') throw proxyStateError(view, `attach image ${request.imageId}`);
  const [holder] = disksWithSerial(view, request.serial);
  if (holder !== undefined) {
    throw new AttachError({
      code: 'ATTACH_SERIAL_IN_USE',
      message: `attach image ${request.imageId}: DISK ${holder.diskId} of the proxy VM already carries serial ${request.serial}`,
      details: { diskId: holder.diskId, imageId: request.imageId, serial: request.serial, target: holder.target },
      hint: 'a serial is for one attachment: detach the old one first, or attach with a new serial',
    });
  }
  return view;
}

/** Undefined: accepted. A refusal that waiting or another TARGET can change is returned, any other thrown. */
async function callAttach(
  deps: HotplugDeps,
  request: AttachRequest,
  target: string,
  options: CallOptions,
): Promise<{ readonly refusal: 'target-taken' | 'busy'; readonly error: unknown } | undefined> {
  try {
    // Never broken off: what is on its way may be carried out after we have looked, and nobody would detach it. Its time-out bounds it.
    await deps.api.attachDisk(diskAttributes(request, target));
    return undefined;
  } catch (error) {
    const refusal = classifyRefusal(error);
    if (refusal === 'target-taken' || refusal === 'busy') return { refusal, error };
    if (refusal === 'unsent') throw error;
    if (refusal !== 'unanswered') throw attachRefused(request, error);
    await takeBackUnanswered(deps, request, target, error);
    options.signal?.throwIfAborted();
    throw error;
  }
}

/** One DISK vector (one.vm.attach); CACHE and DISCARD are stock OpenNebula's defaults for attached disks, stated so that a changed kvmrc does not matter. */
function diskAttributes(request: AttachRequest, target: string): Record<string, string> {
  return {
    IMAGE_ID: String(request.imageId),
    DEV_PREFIX: target.slice(0, 2),
    TARGET: target,
    SERIAL: request.serial,
    READONLY: request.readOnly ? 'YES' : 'NO',
    CACHE: 'none',
    DISCARD: 'unmap',
  };
}

/** Accepted proves nothing: the disk must be in the body once the VM is idle again. */
async function attachedDisk(deps: HotplugDeps, request: AttachRequest, before: Accepted, options: CallOptions): Promise<ProxyDisk> {
  const timeoutMs = hotplugTimeoutMs(deps, request.sizeBytes);
  const after = await waitUntilIdle(deps, `the attach of image ${request.imageId}`, timeoutMs, options);
  const disk = findAttachment(after, { ...request, target: before.target });
  if (disk === undefined) {
    const oneMessage = newErrorText(before.view, after);
    throw new AttachError({
      code: 'ATTACH_FAILED',
      message: `attach image ${request.imageId} as ${before.target} to the proxy VM: ${oneMessage ?? 'OpenNebula accepted, but the disk is not in the VM body'}`,
      details: { imageId: request.imageId, serial: request.serial, target: before.target, ...(oneMessage === undefined ? {} : { oneMessage }) },
      hint: "see the proxy VM's log on the front-end; its host must reach the image's datastore, and the image must be a readable disk",
    });
  }
  if (proxyPhase(after) !== 'running') throw proxyStateError(after, `attach image ${request.imageId}`);
  return disk;
}

/** Whether oned got the call is not known: what is not there yet may still come, and would be left behind. */
async function takeBackUnanswered(deps: HotplugDeps, request: AttachRequest, target: string, primary: unknown): Promise<void> {
  if (await takeBack(deps, request, target, primary)) return;
  await deps.clock.sleep(STRAGGLER_MS);
  await takeBack(deps, request, target, primary);
}

/** Answers whether there was something to take back. Clean-up has time limits of its own and ignores the caller's signal. A failure of it is thrown in place of `primary`, which stays in its causes. */
async function takeBack(deps: HotplugDeps, request: AttachRequest, target: string, primary: unknown): Promise<boolean> {
  try {
    return await detachDisk(deps, { ...request, target });
  } catch (cleanupError) {
    deps.logger.error({ imageId: request.imageId, serial: request.serial, err: cleanupError }, 'disk of a failed attach stays attached');
    throw leftAttached(request, primary, cleanupError);
  }
}

function leftAttached(request: AttachRequest, primary: unknown, cleanupError: unknown): AttachError {
  const known = cleanupError instanceof AttachError ? cleanupError.details : {};
  const after = primary instanceof Error ? (errorCode(primary) ?? primary.name) : 'unknown';
  const where = known.diskId === undefined ? 'it may still be attached' : `DISK ${known.diskId} is still attached`;
  return new AttachError({
    code: 'ATTACH_DETACH_FAILED',
    message: `attach image ${request.imageId} to the proxy VM: failed with ${after}, and taking it back failed too: ${where} with serial ${request.serial}`,
    details: { ...known, imageId: request.imageId, serial: request.serial, after },
    hint: 'run recover once the proxy VM and OpenNebula answer again; it detaches by the serial in the journal',
    cause: new AggregateError([primary, cleanupError], 'the failed attach and its failed clean-up'),
  });
}

function attachRefused(request: AttachRequest, cause: unknown): AttachError {
  const oneMessage = cause instanceof Error ? cause.message : String(cause);
  return new AttachError({
    code: 'ATTACH_REFUSED',
    message: `attach image ${request.imageId} to the proxy VM: OpenNebula refused: ${oneMessage}`,
    details: { imageId: request.imageId, serial: request.serial, oneMessage },
    retryable: isRetryable(cause),
    hint: "the image must be READY, in a datastore of the proxy VM's cluster, and the user needs MANAGE on the proxy VM and USE on the image",
    cause,
  });
}

function busyTooLong(deps: HotplugDeps, request: AttachRequest, cause: unknown): AttachError {
  return new AttachError({
    code: 'ATTACH_TIMEOUT',
    message: `attach image ${request.imageId}: the proxy VM was busy each time for ${Math.round(deps.timeouts.busyMs / 1000)} s`,
    details: { imageId: request.imageId, serial: request.serial, timeoutMs: deps.timeouts.busyMs },
    retryable: true,
    hint: 'something else uses the proxy VM all the time; give the product a proxy VM of its own',
    cause,
  });
}
