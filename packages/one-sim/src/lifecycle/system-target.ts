import type { Cloud } from '../cloud.ts';
import type { Datastore } from '../model/world-schema.ts';
import { textOf, type Vector } from '../template/attributes.ts';

/**
 * An image that lies on a system datastore of another driver behaves as its datastore's TM_MAD_SYSTEM says
 * (VirtualMachineDisks::check_tm_mad at deployment, Datastore::disk_attribute at hot-attach).
 */
export function adaptToSystem(cloud: Cloud, disk: Vector, system: Pick<Datastore, 'tmMad'>): void {
  const images = cloud.world.datastores.get(Number(disk['DATASTORE_ID']));
  if (!images || images.tmMad === system.tmMad) return;
  for (const name of ['CLONE_TARGET', 'LN_TARGET', 'DISK_TYPE']) {
    const value = textOf(images.template, `${name}_${system.tmMad.toUpperCase()}`);
    if (value !== undefined) disk[name] = value;
  }
  if (disk['TYPE'] !== 'CDROM' && disk['TYPE'] !== 'FILESYSTEM') disk['TYPE'] = disk['DISK_TYPE'] ?? 'FILE';
  disk['TM_MAD_SYSTEM'] = system.tmMad;
}
