import { type CallOptions, type Clock, errorCode, type Logger } from '@onevault/base';
import type { HotplugApi, ProxyVmView, SysfsDisk } from './attach-api.ts';
import { AttachError } from './errors.ts';
import type { Identification } from './identification.ts';
import { proxyPhase } from './proxy-phase.ts';
import { parseSerial } from './serial.ts';

/** How long to wait, in milliseconds. oned has no time limit of its own for any of these. */
export interface AttachTimeouts {
  /** For a proxy VM that is busy with something else to be RUNNING again. */
  readonly busyMs: number;
  /** For one attach or detach of an empty disk; `hotplugMsPerGiB` is added for its size. */
  readonly hotplugMs: number;
  /** Drivers that copy (ssh, local, fs_lvm) need time by size; the default is a floor of 17 MiB/s. */
  readonly hotplugMsPerGiB: number;
  /** For the guest to show the device, or to lose it, once OpenNebula is done. */
  readonly deviceMs: number;
  /** During which a detach that the guest did not carry out is tried again. */
  readonly detachRetryMs: number;
  /** For other processes to end their hot-plugs on this proxy VM; a copying driver may take an hour for one. */
  readonly lockMs: number;
}

export const DEFAULT_TIMEOUTS: AttachTimeouts = {
  busyMs: 600_000,
  hotplugMs: 300_000,
  hotplugMsPerGiB: 60_000,
  deviceMs: 60_000,
  detachRetryMs: 120_000,
  lockMs: 2 * 3_600_000,
};

/** What a hot-plug works with; the same for attach and detach. */
export interface HotplugDeps {
  readonly api: HotplugApi;
  readonly sysfs: (options?: CallOptions) => Promise<readonly SysfsDisk[]>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly identification: Identification;
  readonly timeouts: AttachTimeouts;
  /** Brings what the kernel still keeps of a device to it. */
  readonly flush: (devicePath: string) => Promise<void>;
}

export type ProxyDisk = ProxyVmView['disks'][number];

const GIB = 1024 ** 3;
/** The guest and OpenNebula are never asked more often. */
const POLL_MS = 1_000;
/**
 * A call whose connection broke may still wait in oned's queue of connections and be carried out later: so long nothing is concluded from its effect
 * not being there, and no new disk is plugged that it could hit. oned itself waits 15 s for a client (oned.conf, TIMEOUT).
 */
export const STRAGGLER_MS = 15_000;

export function hotplugTimeoutMs(deps: HotplugDeps, sizeBytes: number): number {
  return deps.timeouts.hotplugMs + Math.ceil((sizeBytes / GIB) * deps.timeouts.hotplugMsPerGiB);
}

/** The disks of the VM body that carry this serial. */
export function disksWithSerial(view: ProxyVmView, serial: string): ProxyDisk[] {
  return view.disks.filter((disk) => parseSerial(disk.serial) === serial);
}

/**
 * The disk of one attachment in the VM body: serial and image agree. Where the body does not repeat the SERIAL, TARGET and image stand for it, but
 * never on a disk that carries another one.
 */
export function findAttachment(
  view: ProxyVmView,
  attachment: { readonly serial: string; readonly imageId: number; readonly target?: string },
): ProxyDisk | undefined {
  const { serial, imageId, target } = attachment;
  return (
    disksWithSerial(view, serial).find((disk) => disk.imageId === imageId) ??
    view.disks.find((disk) => disk.serial === undefined && disk.imageId === imageId && disk.target === target)
  );
}

/** Waits until no operation is under way on the proxy VM, whatever it ends in; ATTACH_TIMEOUT after `timeoutMs`. */
export async function waitUntilIdle(deps: HotplugDeps, what: string, timeoutMs: number, options: CallOptions): Promise<ProxyVmView> {
  const deadlineMs = deps.clock.monotonicMs() + timeoutMs;
  try {
    return await deps.api.waitFor((view) => proxyPhase(view) !== 'busy', { ...options, timeoutMs, what });
  } catch (error) {
    options.signal?.throwIfAborted();
    const timedOut = errorCode(error) === 'ONE_WAIT_TIMEOUT' || deps.clock.monotonicMs() >= deadlineMs;
    if (!timedOut) throw error;
    throw timeoutError(what, timeoutMs, error);
  }
}

/** Looks at /sys at most once a second until `judge` has a verdict; undefined when the time is up. */
export async function pollDevices<Verdict>(
  deps: HotplugDeps,
  judge: (disks: readonly SysfsDisk[]) => Verdict | undefined,
  options: CallOptions,
): Promise<Verdict | undefined> {
  const deadlineMs = deps.clock.monotonicMs() + deps.timeouts.deviceMs;
  for (;;) {
    const verdict = judge(await deps.sysfs(options));
    if (verdict !== undefined) return verdict;
    if (deps.clock.monotonicMs() >= deadlineMs) return undefined;
    await deps.clock.sleep(POLL_MS, options);
  }
}

/** USER_TEMPLATE/ERROR is never cleared by OpenNebula: only a text that was not there before belongs to this operation. */
export function newErrorText(before: ProxyVmView, after: ProxyVmView): string | undefined {
  return after.error === before.error ? undefined : after.error;
}

function timeoutError(what: string, timeoutMs: number, cause: unknown): AttachError {
  return new AttachError({
    code: 'ATTACH_TIMEOUT',
    message: `wait for ${what}: the proxy VM was still busy after ${Math.round(timeoutMs / 1000)} s`,
    details: { timeoutMs },
    retryable: true,
    hint: 'look at what the proxy VM is doing (onevm show) and at its log; an operation that hangs in a driver must be ended by an administrator (onevm recover)',
    cause,
  });
}
