import { type CallOptions, type Clock, type Logger, Mutex, silentLogger } from '@onevault/base';
import type { AttachRequest, DiskAttacher, HotplugApi, SysfsDisk } from './attach-api.ts';
import { attachDisk } from './attach-disk.ts';
import { confirmDevice } from './confirm-device.ts';
import { detachDisk } from './detach-disk.ts';
import { type AttachTimeouts, DEFAULT_TIMEOUTS, disksWithSerial, type HotplugDeps } from './hotplug.ts';
import type { HotplugLock } from './hotplug-lock.ts';
import type { Identification } from './identification.ts';
import { proxyPhase } from './proxy-phase.ts';
import { isOwnSerial } from './serial.ts';

export interface AttacherDeps {
  readonly api: HotplugApi;
  /** The disks of the proxy VM now; `readSysfsDisks` in production. */
  readonly sysfs: (options?: CallOptions) => Promise<readonly SysfsDisk[]>;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** From `chooseIdentification`, for the version of OpenNebula in front of us. */
  readonly identification: Identification;
  /** `machineHotplugLock` in production. Without it only the hot-plugs of this attacher take turns. */
  readonly lock?: HotplugLock;
  /** Asked before a device is unplugged: brings what the kernel still keeps of it to the device. A failure is logged; data is proven before. */
  readonly flush?: (devicePath: string) => Promise<void>;
  readonly timeouts?: Partial<AttachTimeouts>;
}

/**
 * Plugs images into one proxy VM and takes them away again. OpenNebula allows one disk operation at a time per VM, so hot-plugs queue here instead of
 * failing there: those of one attacher in memory, those of several processes at the lock. Holds nothing between calls; every decision is read from
 * the VM body and from /sys.
 */
export function createAttacher(deps: AttacherDeps): DiskAttacher {
  const { lock } = deps;
  if (deps.identification.byDifference && lock === undefined) throw new TypeError('identification by difference needs a lock of the proxy VM');
  const hotplug: HotplugDeps = {
    api: deps.api,
    sysfs: deps.sysfs,
    clock: deps.clock,
    logger: deps.logger ?? silentLogger,
    identification: deps.identification,
    timeouts: { ...DEFAULT_TIMEOUTS, ...deps.timeouts },
    flush: deps.flush ?? (() => Promise.resolve()),
  };
  const oneAtATime = new Mutex();
  const exclusively = <T>(work: () => Promise<T>, options: CallOptions = {}): Promise<T> =>
    oneAtATime.run(async () => {
      await using _ = await lock?.acquire(hotplug.timeouts.lockMs, options);
      return await work();
    }, options);
  return {
    async attach(request, options = {}) {
      checkRequest(request);
      return await exclusively(() => attachDisk(hotplug, request, options), options);
    },
    confirm: (disk, options = {}) => confirmDevice(hotplug, disk, options),
    async detach({ serial, imageId }, options = {}) {
      checkSerial(serial);
      await exclusively(() => detachDisk(hotplug, { serial, imageId }, options), options);
    },
    exclusively,
    async find(serial, options = {}) {
      checkSerial(serial);
      const view = await hotplug.api.view(options);
      const [disk] = proxyPhase(view) === 'gone' ? [] : disksWithSerial(view, serial);
      return disk && { diskId: disk.diskId };
    },
  };
}

function checkRequest(request: AttachRequest): void {
  checkSerial(request.serial);
  if (!Number.isSafeInteger(request.sizeBytes) || request.sizeBytes <= 0) throw new RangeError(`a disk of ${request.sizeBytes} bytes`);
}

/** Refusing foreign serials here is what makes it impossible to detach a disk that was not attached by us. */
function checkSerial(serial: string): void {
  if (!isOwnSerial(serial)) throw new TypeError(`"${serial}" is not a serial made by newSerial()`);
}
