import type { World } from '../model/world.ts';
import type { Owned } from '../model/world-schema.ts';
import { element } from './element.ts';

const PERMISSION_NAMES = ['OWNER_U', 'OWNER_M', 'OWNER_A', 'GROUP_U', 'GROUP_M', 'GROUP_A', 'OTHER_U', 'OTHER_M', 'OTHER_A'];

/** ID … NAME, the head of every owned object. */
export function identity(world: World, object: Owned): string {
  return (
    element('ID', object.id) +
    element('UID', object.uid) +
    element('GID', object.gid) +
    element('UNAME', world.users.get(object.uid)?.name ?? '') +
    element('GNAME', world.groups.get(object.gid)?.name ?? '') +
    element('NAME', object.name)
  );
}

export function permissions(object: Owned): string {
  return element('PERMISSIONS', PERMISSION_NAMES.map((name, at) => element(name, object.permissions[at] ?? 0)).join(''));
}

/** Nothing while unlocked (PoolObjectSQL::lock_db_to_xml). */
export function lock(object: Owned): string {
  if (!object.lock) return '';
  const { level, owner, time, requestId } = object.lock;
  return element('LOCK', element('LOCKED', level) + element('OWNER', owner) + element('TIME', time) + element('REQ_ID', requestId));
}
