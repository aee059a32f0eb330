import { readFile, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '@onevault/base';

/** Where a SCSI disk is, in the guest's numbers: `2:0:10:0` is host 2, channel 0, target 10, LUN 0. */
export interface ScsiAddress {
  readonly host: number;
  readonly channel: number;
  readonly target: number;
  readonly lun: number;
  /** The driver of the host adapter: `virtio_scsi` for the controller that OpenNebula hot-plugs to; undefined when /sys does not say. */
  readonly driver: string | undefined;
}

/** The driver behind the controller that attach_disk addresses (`controller='0' bus='0'`). */
export const VIRTIO_SCSI = 'virtio_scsi';

const ADDRESS = /^(\d+):(\d+):(\d+):(\d+)$/;

/** The address of the disk whose /sys/block directory this is; undefined when it is not a SCSI disk. */
export async function readScsiAddress(directory: string): Promise<ScsiAddress | undefined> {
  const device = await realpath(join(directory, 'device')).catch(ignoreSystemError);
  const [, host, channel, target, lun] = ADDRESS.exec(device === undefined ? '' : basename(device)) ?? [];
  if (device === undefined || host === undefined) return undefined;
  // …/virtio2/host2/target2:0:10/2:0:10:0
  const hostDirectory = dirname(dirname(device));
  return { host: Number(host), channel: Number(channel), target: Number(target), lun: Number(lun), driver: await readDriver(hostDirectory) };
}

/** The driver that the adapter's own device is bound to; adapters that are no device of a bus (ata1) name it in scsi_host only. */
async function readDriver(hostDirectory: string): Promise<string | undefined> {
  const bound = await readlink(join(dirname(hostDirectory), 'driver')).catch(ignoreSystemError);
  if (bound !== undefined) return basename(bound);
  const named = await readFile(join(hostDirectory, 'scsi_host', basename(hostDirectory), 'proc_name'), 'utf8').catch(ignoreSystemError);
  return named === undefined || named.trim() === '' ? undefined : named.trim();
}

/** A link that is not there, or leads nowhere because the device is leaving. */
function ignoreSystemError(error: unknown): undefined {
  if (errorCode(error) === undefined) throw error;
}

/** The SCSI target that OpenNebula gives a disk with this TARGET: the letter's index (vmm/kvm/attach_disk). Undefined for anything but sda to sdz. */
export function scsiTargetOf(target: string): number | undefined {
  const letter = /^sd([a-z])$/.exec(target)?.[1];
  return letter === undefined ? undefined : letter.charCodeAt(0) - 'a'.charCodeAt(0);
}

/** `2:0:10:0` */
export function formatScsiAddress({ host, channel, target, lun }: ScsiAddress): string {
  return `${host}:${channel}:${target}:${lun}`;
}

/** The disks with this target on a virtio-scsi controller, channel and LUN 0, as attach_disk addresses them (`bus='0' target='N' unit='0'`). */
export function disksAtTarget<D extends { readonly scsi: ScsiAddress | undefined }>(disks: readonly D[], scsiTarget: number): D[] {
  return disks.filter(({ scsi }) => scsi?.driver === VIRTIO_SCSI && scsi.channel === 0 && scsi.target === scsiTarget && scsi.lun === 0);
}
