import type { World } from '../model/world.ts';
import type { Owned, User } from '../model/world-schema.ts';
import { type Grant, grantsOf, isGranted, type ObjectType, OPERATION, type OperationName } from './acl-rule.ts';

/** Who asks. With a token of one group, `groupIds` is that group alone. */
export interface Subject {
  readonly user: User;
  /** The group of what it creates: its primary one, or a token's. */
  readonly gid: number;
  readonly groupIds: readonly number[];
  /** User 0 or a member of group 0: may everything that is not locked (AclManager::oneadmin_authorize). */
  readonly isAdmin: boolean;
  readonly grants: readonly Grant[];
}

/** `tokenGroup`: a login token is good for one group only. */
export function subjectOf(world: World, user: User, tokenGroup?: number): Subject {
  const groupIds = tokenGroup === undefined ? user.groupIds : [tokenGroup];
  const isAdmin = user.id === 0 || groupIds.includes(0);
  return { user, gid: tokenGroup ?? user.gid, groupIds, isAdmin, grants: isAdmin ? [] : grantsOf(world.acls, user.id, groupIds) };
}

/** PoolObjectAuth: what authorization has to know of an object. */
export interface Protected {
  readonly type: ObjectType;
  /** -1 for an object that is to be created, or for a pool as a whole. */
  readonly id: number;
  readonly uid: number;
  readonly gid: number;
  readonly permissions: readonly number[];
  readonly clusterIds: readonly number[];
  /** The lowest right a lock refuses; 0 when there is none. */
  readonly lockLevel: number;
}

export interface Need {
  readonly operation: OperationName;
  readonly object: Protected;
  /** USE_NO_LCK and its kin: a lock does not matter. */
  readonly ignoreLock?: boolean;
}

/** What a lock of that level compares with (AclManager.cc:203): level 1 refuses USE and more, 2 MANAGE and more, 3 ADMIN. */
function isLocked(need: Need): boolean {
  return need.ignoreLock !== true && need.object.lockLevel > 0 && need.object.lockLevel <= OPERATION[need.operation];
}

export function mayDo(subject: Subject, need: Need): boolean {
  if (isLocked(need)) return false;
  return subject.isAdmin || mayByPermissions(subject, need) || isGranted(subject.grants, need.object, OPERATION[need.operation]);
}

const BIT = { USE: 0, MANAGE: 1, ADMIN: 2 } as const;

/** The owner, group and other bits, each a rule of its own (PoolObjectAuth::get_acl_rules). */
function mayByPermissions(subject: Subject, { operation, object }: Need): boolean {
  if (operation === 'CREATE' || object.id < 0) return false;
  const has = (group: number): boolean => object.permissions[group * 3 + BIT[operation]] === 1;
  return (object.uid === subject.user.id && has(0)) || (subject.groupIds.includes(object.gid) && has(1)) || has(2);
}

/** AuthRequest::add_auth for each need in turn: undefined, or every refusal joined by `; ` (src/authm/AuthManager.cc). */
export function whyUnauthorized(subject: Subject, needs: readonly Need[]): string | undefined {
  const refused = needs.filter((need) => !mayDo(subject, need));
  if (refused.length === 0) return undefined;
  return refused.map((need) => refusalText(subject, need)).join('; ');
}

function refusalText(subject: Subject, { operation, object }: Need): string {
  const id = object.id === -1 ? '' : ` [${object.id}]`;
  return subject.isAdmin ? `${object.type} is locked.${id}` : `Not authorized to perform ${operation} ${object.type}${id}`;
}

const NOBODY = { uid: -1, gid: -1, permissions: [1, 1, 0, 0, 0, 0, 0, 0, 0], clusterIds: [], lockLevel: 0 } as const;

/** An owned object: VM, IMAGE, TEMPLATE, NET, DATASTORE, SECGROUP. */
export function ownedObject(type: ObjectType, object: Owned & { readonly clusterIds?: readonly number[] }): Protected {
  const { id, uid, gid, permissions } = object;
  return { type, id, uid, gid, permissions, clusterIds: object.clusterIds ?? [], lockLevel: object.lock?.level ?? 0 };
}

/** What is to be created belongs to nobody yet: only a rule for all objects of the type helps (AuthRequest::add_create_auth). */
export function newObject(type: ObjectType): Protected {
  return { ...NOBODY, type, id: -1 };
}

/** HOST and CLUSTER belong to nobody: rules decide. */
export function plainObject(type: 'HOST' | 'CLUSTER', id: number, clusterIds: readonly number[]): Protected {
  return { ...NOBODY, type, id, clusterIds };
}

/** A user owns itself (User::from_xml), and is in its primary group's hands. */
export function userObject(user: User): Protected {
  return { ...NOBODY, type: 'USER', id: user.id, uid: user.id, gid: user.gid };
}

/** Members may USE their group (Group.cc: group_u). */
export function groupObject(id: number): Protected {
  return { ...NOBODY, type: 'GROUP', id, gid: id, permissions: [1, 1, 0, 1, 0, 0, 0, 0, 0] };
}
