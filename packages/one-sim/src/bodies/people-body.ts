import type { World } from '../model/world.ts';
import type { Group, User } from '../model/world-schema.ts';
import { attributeElements, cdata, element, idCollection } from './element.ts';

/** User::to_xml_extended; the pool leaves the quotas out. The password's hash is printed to nobody but the admins' group, as oned does. */
export function userBody(world: World, user: User, options: { readonly quotas: boolean; readonly secrets: boolean }): string {
  const quotas = options.quotas
    ? '<DATASTORE_QUOTA></DATASTORE_QUOTA><NETWORK_QUOTA></NETWORK_QUOTA><VM_QUOTA></VM_QUOTA><IMAGE_QUOTA></IMAGE_QUOTA><DEFAULT_USER_QUOTAS><DATASTORE_QUOTA></DATASTORE_QUOTA><NETWORK_QUOTA></NETWORK_QUOTA><VM_QUOTA></VM_QUOTA><IMAGE_QUOTA></IMAGE_QUOTA></DEFAULT_USER_QUOTAS>'
    : '';
  return element(
    'USER',
    element('ID', user.id) +
      element('GID', user.gid) +
      idCollection('GROUPS', user.groupIds) +
      element('GNAME', world.groups.get(user.gid)?.name ?? '') +
      element('NAME', user.name) +
      cdata('PASSWORD', options.secrets ? user.passwordSha256 : '') +
      cdata('AUTH_DRIVER', 'core') +
      element('ENABLED', user.enabled ? 1 : 0) +
      element('TEMPLATE', attributeElements(user.template)) +
      quotas,
  );
}

/** Group::to_xml_extended. */
export function groupBody(world: World, group: Group, options: { readonly quotas: boolean }): string {
  const members = [...world.users.values()].filter((user) => user.groupIds.includes(group.id)).map((user) => user.id);
  const quotas = options.quotas
    ? '<DATASTORE_QUOTA></DATASTORE_QUOTA><NETWORK_QUOTA></NETWORK_QUOTA><VM_QUOTA></VM_QUOTA><IMAGE_QUOTA></IMAGE_QUOTA><DEFAULT_GROUP_QUOTAS><DATASTORE_QUOTA></DATASTORE_QUOTA><NETWORK_QUOTA></NETWORK_QUOTA><VM_QUOTA></VM_QUOTA><IMAGE_QUOTA></IMAGE_QUOTA></DEFAULT_GROUP_QUOTAS>'
    : '';
  return element(
    'GROUP',
    element('ID', group.id) +
      element('NAME', group.name) +
      element('TEMPLATE', attributeElements(group.template)) +
      idCollection('USERS', members) +
      idCollection('ADMINS', []) +
      quotas,
  );
}
