import type { AclRule, ResourceKind } from './acl.ts';
import { ruleGrants } from './acl.ts';
import type { Grant, Owned, User } from './model.ts';

export type Right = 'use' | 'manage' | 'admin';

/** An object as far as rights are concerned. */
export interface Guarded extends Owned {
  readonly kind: ResourceKind;
  readonly id: number;
  /** Of datastores, hosts and networks, which rules may select by cluster. */
  readonly clusterIds?: readonly number[];
}

export type RightsVerdict =
  | { readonly may: 'yes'; readonly by: 'oneadmin' | 'owner' | 'group' | 'other' | 'acl' }
  /** locked: also to administrators, and to whoever locked it. */
  | { readonly may: 'no'; readonly why: 'locked' | 'not-permitted' }
  /** Neither owner, group nor others may, and the rules are not known. */
  | { readonly may: 'unknown' };

/** uid 0 and the members of group 0 may do everything that no lock forbids (AclManager::oneadmin_authorize). */
export function isCloudAdmin(user: Pick<User, 'id' | 'groupIds'>): boolean {
  return user.id === 0 || user.groupIds.includes(0);
}

const LOCKED_FROM: Readonly<Record<Right, number>> = { use: 1, manage: 2, admin: 3 };

/**
 * Whether oned would let the user do this: lock first, then the object's permission bits, then access rules (AclManager::authorize). `.info` calls
 * ignore locks. Which right an action needs is opennebula.md's table; oned.conf may move actions (VM_*_OPERATIONS).
 */
export function mayDo(
  user: Pick<User, 'id' | 'groupIds'>,
  right: Right,
  object: Guarded,
  rules: readonly AclRule[] | undefined,
  options: { readonly ignoreLock?: boolean; readonly zone?: number } = {},
): RightsVerdict {
  const level = object.lock?.level ?? 0;
  if (options.ignoreLock !== true && level > 0 && level <= LOCKED_FROM[right]) return { may: 'no', why: 'locked' };
  if (isCloudAdmin(user)) return { may: 'yes', by: 'oneadmin' };
  const granted = (grant: Grant): boolean => grant[right];
  if (user.id === object.uid && granted(object.permissions.owner)) return { may: 'yes', by: 'owner' };
  if (user.groupIds.includes(object.gid) && granted(object.permissions.group)) return { may: 'yes', by: 'group' };
  if (granted(object.permissions.other)) return { may: 'yes', by: 'other' };
  if (rules === undefined) return { may: 'unknown' };
  const wanted = { right, kind: object.kind, object, zone: options.zone ?? 0 };
  return rules.some((rule) => ruleGrants(rule, user, wanted)) ? { may: 'yes', by: 'acl' } : { may: 'no', why: 'not-permitted' };
}

/** Whether the user may make objects of this kind: nobody owns what does not exist, so only rules say. */
export function mayCreate(
  user: Pick<User, 'id' | 'groupIds'>,
  kind: ResourceKind,
  rules: readonly AclRule[] | undefined,
  options: { readonly zone?: number } = {},
): RightsVerdict {
  if (isCloudAdmin(user)) return { may: 'yes', by: 'oneadmin' };
  if (rules === undefined) return { may: 'unknown' };
  const wanted = { right: 'create', kind, object: undefined, zone: options.zone ?? 0 } as const;
  return rules.some((rule) => ruleGrants(rule, user, wanted)) ? { may: 'yes', by: 'acl' } : { may: 'no', why: 'not-permitted' };
}
