import type { CallOptions } from '@onevault/base';
import { checkBystanders } from './bystanders.ts';
import { checkLvm } from './lvm.ts';
import { checkMdadm } from './mdadm.ts';
import { checkMultipath } from './multipath.ts';
import { readOwnDevices } from './own-devices.ts';
import { rootFiles } from './root-files.ts';
import type { StorageFinding } from './storage-finding.ts';
import { checkUdevRule } from './udev-rule.ts';

/**
 * What on the proxy VM would touch attached disks without being asked: LVM, multipath, software RAID, btrfs, bcache, automounters, ZFS, and whether udev
 * tells them to keep away. One finding at least for each, also when all is well. Reads files below `root`, which looks like `/`; runs nothing.
 */
export async function checkProxyStorage(root = '/', options: CallOptions = {}): Promise<StorageFinding[]> {
  const files = rootFiles(root);
  const own = await readOwnDevices(root);
  options.signal?.throwIfAborted();
  return [
    ...(await checkUdevRule(files)),
    ...(await checkLvm(files, own)),
    ...(await checkMultipath(files)),
    ...(await checkMdadm(files, own)),
    ...(await checkBystanders(files)),
  ];
}
