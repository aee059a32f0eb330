import { randomBytes } from 'node:crypto';
import { systemClock } from '@onevault/base';
import { type AttachRequest, chooseIdentification, createAttacher, type HotplugApi, newSerial, readSysfsDisks } from '@onevault/proxy-attach';

type Image = Pick<AttachRequest, 'imageId' | 'sizeBytes'>;

/** Runs inside the proxy VM; `api` is one-client bound to the proxy's own VM id, `version` that of OpenNebula. */
export async function readImage(api: HotplugApi, version: string, image: Image, read: (path: string) => Promise<void>, root = '/'): Promise<void> {
  const sysfs = (options = {}) => readSysfsDisks(root, options);
  const attacher = createAttacher({ api, sysfs, clock: systemClock, identification: chooseIdentification(version) });
  const serial = newSerial(randomBytes); // write it to the journal before the next line
  const disk = await attacher.attach({ ...image, serial, readOnly: true });
  try {
    await read(disk.devicePath); // once opened: attacher.confirm(disk)
  } finally {
    await attacher.detach(disk);
  }
}
