import type { World } from '../model/world.ts';
import type { Image } from '../model/world-schema.ts';
import { attributeElements, cdata, element, idCollection } from './element.ts';
import { identity, lock, permissions } from './ownership.ts';
import { snapshotsBody } from './snapshots-body.ts';

/** Image::to_xml; the pool prints the same. `sourcePath` is where the file is. */
export function imageBody(world: World, image: Image, sourcePath: string): string {
  const modtime = world.atLeast(7, 0) ? element('MODTIME', image.modtime) : '';
  return element(
    'IMAGE',
    identity(world, image) +
      lock(image) +
      permissions(image) +
      element('TYPE', image.type) +
      element('DISK_TYPE', world.datastores.get(image.datastoreId)?.diskType ?? 0) +
      element('PERSISTENT', image.persistent ? 1 : 0) +
      element('REGTIME', image.regtime) +
      modtime +
      cdata('SOURCE', sourcePath) +
      cdata('PATH', image.path) +
      cdata('FORMAT', image.format) +
      cdata('FS', image.fs) +
      element('SIZE', image.sizeMiB) +
      element('STATE', image.state) +
      element('PREV_STATE', image.prevState) +
      element('RUNNING_VMS', image.vmIds.length) +
      element('CLONING_OPS', image.cloningOps) +
      element('CLONING_ID', image.cloningId) +
      element('TARGET_SNAPSHOT', -1) +
      element('DATASTORE_ID', image.datastoreId) +
      element('DATASTORE', world.datastores.get(image.datastoreId)?.name ?? '') +
      idCollection('VMS', image.vmIds) +
      idCollection('CLONES', image.cloneIds) +
      idCollection('APP_CLONES', []) +
      element('TEMPLATE', attributeElements(image.template)) +
      snapshotsBody(image.snapshots) +
      element('BACKUP_INCREMENTS', '') +
      element('BACKUP_DISK_IDS', ''),
  );
}
