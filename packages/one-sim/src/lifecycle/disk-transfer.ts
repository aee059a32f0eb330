import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '@onevault/base';
import type { Cloud } from '../cloud.ts';
import { copySparse } from '../disk/sparse-copy.ts';
import { imageIdOf, isPersistent } from '../model/disk-vector.ts';
import type { Image, Vm } from '../model/world-schema.ts';
import { isYes, type Vector } from '../template/attributes.ts';

/**
 * Makes the file the guest will have (TM clone, ln): a copy of a non-persistent image, and of a persistent one where LN_TARGET is SYSTEM;
 * otherwise the persistent image is used itself.
 */
export async function provideDisk(cloud: Cloud, vm: Vm, disk: Vector, signal: AbortSignal): Promise<void> {
  const image = imageOf(cloud, disk);
  const target = cloud.layout.disk(cloud.world, vm, disk);
  if (!image || target === cloud.layout.image(image) || disk['TYPE'] === 'FILESYSTEM') return;
  await mkdir(dirname(target), { recursive: true });
  await rm(target, { force: true }); // a read-only leftover of a killed attempt
  await copySparse(cloud.layout.image(image), target, { signal });
  if (isPersistent(disk)) await copySnapshots(cloud.layout.snapshotDir(cloud.layout.image(image)), cloud.layout.snapshotDir(target));
}

/** TM mvds of a persistent disk that lies on the host: the whole disk goes back over the image; until then the image has its old bytes. */
export async function returnDisk(cloud: Cloud, vm: Vm, disk: Vector, signal: AbortSignal): Promise<void> {
  const image = imageOf(cloud, disk);
  const source = cloud.layout.disk(cloud.world, vm, disk);
  if (!image || !isPersistent(disk)) return;
  const target = cloud.layout.image(image);
  if (source === target || !(await exists(source))) return; // linked, or already returned by a run that was killed
  await copySparse(source, `${target}.back`, { signal });
  await rename(`${target}.back`, target);
  if (!isYes(disk['PERSISTENT_SNAPSHOTS'] ?? 'YES')) return;
  await rm(cloud.layout.snapshotDir(target), { recursive: true, force: true });
  await copySnapshots(cloud.layout.snapshotDir(source), cloud.layout.snapshotDir(target));
}

/** TM delete: the VM's copy and its snapshots; a linked image keeps both. */
export async function removeDisk(cloud: Cloud, vm: Vm, disk: Vector): Promise<void> {
  const image = imageOf(cloud, disk);
  const path = cloud.layout.disk(cloud.world, vm, disk);
  if (image && path === cloud.layout.image(image)) return;
  await rm(path, { force: true });
  await rm(cloud.layout.snapshotDir(path), { recursive: true, force: true });
}

/** Whether the disk must be copied back over its image when it leaves the VM. */
export function mustReturn(cloud: Cloud, vm: Vm, disk: Vector): boolean {
  const image = imageOf(cloud, disk);
  return image !== undefined && isPersistent(disk) && cloud.layout.disk(cloud.world, vm, disk) !== cloud.layout.image(image);
}

function imageOf(cloud: Cloud, disk: Vector): Image | undefined {
  const imageId = imageIdOf(disk);
  return imageId === undefined ? undefined : cloud.world.images.get(imageId);
}

async function copySnapshots(source: string, target: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(source);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  await mkdir(target, { recursive: true });
  for (const name of names) await copyFile(join(source, name), join(target, name));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
