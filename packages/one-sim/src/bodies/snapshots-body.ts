import type { SnapshotTree } from '../model/world-schema.ts';
import { cdata, element } from './element.ts';

/** SNAPSHOTS: the tree's own fields in byte order, DISK_ID between CURRENT_BASE and NEXT_SNAPSHOT, then one SNAPSHOT each. */
export function snapshotsBody(tree: SnapshotTree): string {
  const snapshots = tree.snapshots.map((snapshot) =>
    element(
      'SNAPSHOT',
      (snapshot.active ? cdata('ACTIVE', 'YES') : '') +
        (snapshot.children.length > 0 ? cdata('CHILDREN', snapshot.children.join(',')) : '') +
        cdata('DATE', String(snapshot.date)) +
        cdata('ID', String(snapshot.id)) +
        (snapshot.name === '' ? '' : cdata('NAME', snapshot.name)) +
        cdata('PARENT', String(snapshot.parent)) +
        cdata('SIZE', String(snapshot.sizeMiB)),
    ),
  );
  return element(
    'SNAPSHOTS',
    cdata('ALLOW_ORPHANS', tree.allowOrphans) +
      cdata('CURRENT_BASE', String(tree.currentBase)) +
      (tree.diskId === undefined ? '' : cdata('DISK_ID', String(tree.diskId))) +
      cdata('NEXT_SNAPSHOT', String(tree.nextSnapshot)) +
      snapshots.join(''),
  );
}
