import type { Role } from '@onevault/api';
import { isCloudAdmin, type User } from '@onevault/one-client';
import type { ServerSettings } from '../ports/settings-store.ts';

const RANK: Readonly<Record<Role | 'none', number>> = { none: 0, viewer: 1, operator: 2, admin: 3 };

export interface GivenRole {
  readonly role: Role | 'none';
  readonly because: 'given' | 'oneadmin' | 'default';
}

/** What is set by name wins; then oneadmin's group administers; everybody else has the default. */
export function roleOf(settings: Pick<ServerSettings, 'roles' | 'defaultRole'>, user: Pick<User, 'id' | 'name' | 'groupIds'>): GivenRole {
  const given = Object.hasOwn(settings.roles, user.name) ? settings.roles[user.name] : undefined;
  if (given !== undefined) return { role: given, because: 'given' };
  return isCloudAdmin(user) ? { role: 'admin', because: 'oneadmin' } : { role: settings.defaultRole, because: 'default' };
}

/** Whether somebody with this role may do what asks for that one. */
export function reaches(role: Role | 'none', needed: Role): boolean {
  return RANK[role] >= RANK[needed];
}

export function lesser(a: Role | 'none', b: Role | 'none'): Role | 'none' {
  return RANK[a] <= RANK[b] ? a : b;
}
