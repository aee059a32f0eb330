import { randomBytes } from 'node:crypto';
import { systemClock } from '@onevault/base';
import { createAttacher, type HotplugApi, newSerial, readSysfsDisks } from '@onevault/proxy-attach';

/** Runs inside the proxy VM; `api` is one-client bound to the proxy's own VM id. */
export async function readImage(api: HotplugApi, imageId: number, sizeBytes: number, read: (devicePath: string) => Promise<void>, root = '/'): Promise<void> {
  const attacher = createAttacher({ api, sysfs: (options) => readSysfsDisks(root, options), clock: systemClock });
  const serial = newSerial(randomBytes); // write it to the journal before the next line
  const disk = await attacher.attach({ imageId, sizeBytes, serial, readOnly: true });
  try {
    await read(disk.devicePath);
  } finally {
    await attacher.detach(disk);
  }
}
