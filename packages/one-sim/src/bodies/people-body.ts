import type { World } from '../model/world.ts';
import type { Group, User } from '../model/world-schema.ts';
import { attributeElements, cdata, element, idCollection } from './element.ts';
import { defaultQuotasBody, quotasBody } from './quota-body.ts';

/** User::to_xml_extended; in a pool the quotas follow the users. Whoever may see a user sees the password's hash, as with oned. */
export function userBody(world: World, user: User, options: { readonly quotas: boolean }): string {
  const tokens = user.tokens.map((token) =>
    element('LOGIN_TOKEN', element('TOKEN', token.token) + element('EXPIRATION_TIME', token.expires) + element('EGID', token.gid)),
  );
  return element(
    'USER',
    element('ID', user.id) +
      element('GID', user.gid) +
      idCollection('GROUPS', user.groupIds) +
      element('GNAME', world.groups.get(user.gid)?.name ?? '') +
      element('NAME', user.name) +
      cdata('PASSWORD', user.passwordSha256) +
      cdata('AUTH_DRIVER', 'core') +
      element('ENABLED', user.enabled ? 1 : 0) +
      tokens.join('') +
      element('TEMPLATE', attributeElements(user.template)) +
      (options.quotas ? quotasBody(world, user.quotas, { uid: user.id }) + defaultQuotasBody('USER') : ''),
  );
}

/** Group::to_xml_extended. */
export function groupBody(world: World, group: Group, options: { readonly quotas: boolean }): string {
  const members = [...world.users.values()].filter((user) => user.groupIds.includes(group.id)).map((user) => user.id);
  return element(
    'GROUP',
    element('ID', group.id) +
      element('NAME', group.name) +
      element('TEMPLATE', attributeElements(group.template)) +
      idCollection('USERS', members) +
      idCollection('ADMINS', []) +
      (options.quotas ? quotasBody(world, group.quotas, { gid: group.id }) + defaultQuotasBody('GROUP') : ''),
  );
}

/** UserPool::dump: each user, then its quotas; the defaults at the end. */
export function userPoolBody(world: World, users: readonly User[]): string {
  const bodies = users.map((user) => userBody(world, user, { quotas: false }) + poolQuotas(user.id, quotasBody(world, user.quotas, { uid: user.id })));
  return element('USER_POOL', bodies.join('') + defaultQuotasBody('USER'));
}

/** GroupPool::dump. */
export function groupPoolBody(world: World, groups: readonly Group[]): string {
  const bodies = groups.map((group) => groupBody(world, group, { quotas: false }) + poolQuotas(group.id, quotasBody(world, group.quotas, { gid: group.id })));
  return element('GROUP_POOL', bodies.join('') + defaultQuotasBody('GROUP'));
}

const poolQuotas = (id: number, body: string): string => element('QUOTAS', element('ID', id) + body);
