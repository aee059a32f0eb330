import { join } from 'node:path';
import { readSysfsDisks } from '../sysfs.ts';
import { type RootFiles, rootFiles } from './root-files.ts';

/** What the proxy VM itself needs: settings must keep it working. */
export interface OwnDevices {
  /** Names under /dev of the volumes that running volume groups are made of: `vda3`, `md0`, `mapper/luks-1f`. */
  readonly physicalVolumes: readonly string[];
  /** Names of disks that something on the proxy VM uses now: `vda`. */
  readonly usedDisks: readonly string[];
  /** Software RAID arrays that run. */
  readonly arrays: readonly string[];
}

/** From /sys: who holds what. Disks that nobody uses now are not known to be the proxy's. */
export async function readOwnDevices(root: string): Promise<OwnDevices> {
  const files = rootFiles(root);
  const blocks = await files.names('/sys/block');
  const physicalVolumes: string[] = [];
  for (const block of blocks) {
    for (const [name, directory] of await withPartitions(files, block)) {
      if (await carriesVolumeGroup(files, directory)) physicalVolumes.push(await devName(files, name));
    }
  }
  const disks = blocks.length === 0 ? [] : await readSysfsDisks(root);
  return {
    physicalVolumes,
    usedDisks: disks.filter((disk) => disk.holders.length > 0).map((disk) => disk.name),
    arrays: blocks.filter((name) => /^md\d/.test(name)),
  };
}

async function withPartitions(files: RootFiles, block: string): Promise<(readonly [name: string, directory: string])[]> {
  const directory = `/sys/block/${block}`;
  const partitions = (await files.names(directory)).filter((entry) => entry.startsWith(block) && /^p?\d+$/.test(entry.slice(block.length)));
  return [[block, directory], ...partitions.map((name) => [name, join(directory, name)] as const)];
}

/** A holder that device mapper made for LVM: its uuid begins so (lvm2, lib/misc/lvm-uuid). */
async function carriesVolumeGroup(files: RootFiles, directory: string): Promise<boolean> {
  for (const holder of await files.names(join(directory, 'holders'))) {
    if ((await files.text(`/sys/block/${holder}/dm/uuid`))?.startsWith('LVM-')) return true;
  }
  return false;
}

/** LVM knows a mapped device by its name under /dev/mapper. */
async function devName(files: RootFiles, name: string): Promise<string> {
  const mapped = (await files.text(`/sys/block/${name}/dm/name`))?.trim();
  return mapped === undefined || mapped === '' ? name : `mapper/${mapped}`;
}
