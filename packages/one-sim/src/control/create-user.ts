import type { Cloud } from '../cloud.ts';
import { SimError } from '../errors.ts';
import { hashPassword } from '../methods/password-hash.ts';
import type { User } from '../model/world-schema.ts';
import { noQuotas } from '../quotas/quota-limits.ts';
import { parseRule } from '../rights/acl-rule.ts';
import { parseTemplate } from '../template/parse-template.ts';
import type { ControlInput, ControlOutput } from './control-schemas.ts';

const refused = (message: string): SimError => new SimError({ code: 'SIM_CONTROL_REFUSED', message });

export function userNamed(cloud: Cloud, name: string): User {
  const user = [...cloud.world.users.values()].find((candidate) => candidate.name === name);
  if (!user) throw refused(`there is no user ${name}`);
  return user;
}

/** A user of its own making: what it may do comes from its group, its rules and the permissions of objects, as in OpenNebula. */
export async function createUser(cloud: Cloud, spec: ControlInput<'createUser'>): Promise<ControlOutput<'createUser'>> {
  const { world } = cloud;
  if ([...world.users.values()].some((user) => user.name === spec.name)) throw refused(`there is a user ${spec.name} already`);
  const group = [...world.groups.values()].find((candidate) => candidate.name === spec.group);
  const groupId = group?.id ?? world.nextId('group');
  if (!group) world.groups.set(groupId, { id: groupId, name: spec.group, template: {}, quotas: noQuotas() });
  const user: User = {
    id: world.nextId('user'),
    name: spec.name,
    gid: groupId,
    groupIds: [groupId],
    passwordSha256: hashPassword(spec.password),
    enabled: true,
    template: parseTemplate(spec.template),
    tokens: [],
    quotas: noQuotas(),
  };
  world.users.set(user.id, user);
  for (const rule of spec.rules) addRule(cloud, user, rule);
  await cloud.store.commit();
  return { userId: user.id, groupId };
}

export async function grant(cloud: Cloud, user: User, rule: string): Promise<number> {
  const id = addRule(cloud, user, rule);
  await cloud.store.commit();
  return id;
}

function addRule(cloud: Cloud, user: User, text: string): number {
  const rule = parseRule(`#${user.id} ${text} *`);
  if (!rule) throw refused(`"${text}" is no rule: write TYPE+TYPE/* RIGHT+RIGHT`);
  const id = cloud.world.nextId('acl');
  cloud.world.acls.push({ id, ...rule });
  return id;
}
