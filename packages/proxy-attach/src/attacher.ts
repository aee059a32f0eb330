import { type CallOptions, type Clock, type Logger, Mutex, silentLogger } from '@onevault/base';
import type { AttachRequest, DiskAttacher, HotplugApi, SysfsDisk } from './attach-api.ts';
import { attachDisk } from './attach-disk.ts';
import { detachDisk } from './detach-disk.ts';
import { type AttachTimeouts, DEFAULT_TIMEOUTS, disksWithSerial, type HotplugDeps } from './hotplug.ts';
import { proxyPhase } from './proxy-phase.ts';
import { isOwnSerial } from './serial.ts';
import type { AttachBus } from './target.ts';

export interface AttacherDeps {
  readonly api: HotplugApi;
  /** The disks of the proxy VM now; `readSysfsDisks` in production. */
  readonly sysfs: (options?: CallOptions) => Promise<readonly SysfsDisk[]>;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** `vd` unless the proxy VM has no PCI slots to spare. */
  readonly bus?: AttachBus;
  readonly timeouts?: Partial<AttachTimeouts>;
}

/**
 * Plugs images into one proxy VM and takes them away again. OpenNebula allows one disk operation at a time per VM, so hot-plugs queue here instead of
 * failing there: one attacher per proxy VM. Holds nothing in memory between calls; every decision is read from the VM body and from /sys.
 */
export function createAttacher(deps: AttacherDeps): DiskAttacher {
  const hotplug: HotplugDeps = {
    api: deps.api,
    sysfs: deps.sysfs,
    clock: deps.clock,
    logger: deps.logger ?? silentLogger,
    bus: deps.bus ?? 'vd',
    timeouts: { ...DEFAULT_TIMEOUTS, ...deps.timeouts },
  };
  const oneAtATime = new Mutex();
  return {
    async attach(request, options = {}) {
      checkRequest(request);
      return await oneAtATime.run(() => attachDisk(hotplug, request, options), options);
    },
    async detach({ serial, imageId }, options = {}) {
      checkSerial(serial);
      await oneAtATime.run(() => detachDisk(hotplug, { serial, imageId }, options), options);
    },
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
