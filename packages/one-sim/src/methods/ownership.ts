import type { Owned } from '../model/world-schema.ts';
import { QuotaRequest } from '../quotas/quota-check.ts';
import { usageOfImage, usageOfVm } from '../quotas/quota-usage.ts';
import type { ObjectType, OperationName } from '../rights/acl-rule.ts';
import { groupObject, type Need, ownedObject, type Protected, userObject } from '../rights/authorization.ts';
import { vmActionRight } from '../rights/vm-actions.ts';
import { action, internal, noExists } from '../wire/refusal.ts';
import {
  authorize,
  authorizeAll,
  type Call,
  datastoreOf,
  groupOf,
  imageOf,
  type Method,
  requireQuota,
  templateOf,
  userOf,
  vmOf,
  whyInvalidName,
} from './call.ts';

interface Kind {
  readonly prefix: string;
  readonly type: ObjectType;
  /** In texts (Request::object_name). */
  readonly name: string;
  readonly find: (call: Call, id: number) => Owned;
  /** Names are unique per owner. */
  readonly siblings: ((call: Call) => Iterable<Owned>) | undefined;
  /** What moves with it to another owner. */
  readonly quota?: (call: Call, id: number) => QuotaRequest;
  readonly lockable: boolean;
}

const networkOf = (call: Call, id: number): Owned => {
  const network = call.cloud.world.networks.get(id);
  if (!network) throw noExists('virtual network', id);
  return network;
};

const KINDS: readonly Kind[] = [
  {
    prefix: 'one.vm',
    type: 'VM',
    name: 'virtual machine',
    find: vmOf,
    siblings: undefined,
    quota: (call, id) => QuotaRequest.of(usageOfVm(vmOf(call, id))),
    lockable: true,
  },
  {
    prefix: 'one.image',
    type: 'IMAGE',
    name: 'image',
    find: imageOf,
    siblings: (call) => call.cloud.world.images.values(),
    quota: (call, id) => QuotaRequest.of(usageOfImage(call.cloud.world, imageOf(call, id))),
    lockable: true,
  },
  {
    prefix: 'one.template',
    type: 'TEMPLATE',
    name: 'virtual machine template',
    find: templateOf,
    siblings: (call) => call.cloud.world.templates.values(),
    lockable: true,
  },
  {
    prefix: 'one.datastore',
    type: 'DATASTORE',
    name: 'datastore',
    find: datastoreOf,
    siblings: (call) => call.cloud.world.datastores.values(),
    lockable: false,
  },
  { prefix: 'one.vn', type: 'NET', name: 'virtual network', find: networkOf, siblings: (call) => call.cloud.world.networks.values(), lockable: true },
];

/** RequestManagerChown: MANAGE on the object and on the new user, USE of the new group; the quotas move. */
const chown =
  (kind: Kind): Method =>
  (call) => {
    const [id, uid, gid] = [1, 2, 3].map((at) => call.params.int(at)) as [number, number, number];
    const user = changed(uid, (to) => userOf(call, to));
    const group = changed(gid, (to) => groupOf(call, to));
    const object = kind.find(call, id);
    const owner = { uid: user?.id === object.uid ? undefined : user, gid: group?.id === object.gid ? undefined : group };
    const wanted: Need[] = [
      { operation: 'MANAGE', object: protectedOf(kind, object) },
      ...asList(owner.uid).map((to): Need => ({ operation: 'MANAGE', object: userObject(to) })),
      ...asList(owner.gid).map((to): Need => ({ operation: 'USE', object: groupObject(to.id) })),
    ];
    authorizeAll(call, wanted);
    for (const to of asList(owner.uid)) refuseNamesake(call, kind, to.id, object);
    if (kind.quota) requireQuota(call, { uid: owner.uid?.id ?? 0, gid: owner.gid?.id ?? 0 }, kind.quota(call, id));
    Object.assign(object, { uid: owner.uid?.id ?? object.uid, gid: owner.gid?.id ?? object.gid });
    return object.id;
  };

/** -1 leaves it as it is. */
const changed = <T>(id: number, find: (id: number) => T): T | undefined => (id > -1 ? find(id) : undefined);
const asList = <T>(value: T | undefined): T[] => (value === undefined ? [] : [value]);

function refuseNamesake(call: Call, kind: Kind, uid: number, object: Owned): void {
  const taken = namesake(call, kind, uid, object.name, object.id);
  if (taken) throw internal(`user [${uid}] already owns ${kind.name} [${taken.id}] with NAME ${object.name}`);
}

const protectedOf = (kind: Kind, object: Owned): Protected => ownedObject(kind.type, object);

/** RequestManagerChmod: an admin bit asks for ADMIN, everything else for MANAGE. */
const chmod =
  (kind: Kind): Method =>
  (call) => {
    const object = kind.find(call, call.params.int(1));
    const bits = Array.from({ length: 9 }, (_, at) => call.params.int(2 + at));
    const touchesAdmin = [2, 5, 8].some((at) => bits[at] !== -1 && bits[at] !== object.permissions[at]);
    authorize(call, touchesAdmin ? 'ADMIN' : 'MANAGE', protectedOf(kind, object));
    if (bits.some((bit) => bit < -1 || bit > 1)) throw internal('New permission values must be -1, 0 or 1');
    object.permissions = object.permissions.map((old, at) => (bits[at] === -1 ? old : (bits[at] ?? old)));
    return object.id;
  };

const lock =
  (kind: Kind): Method =>
  (call) => {
    const object = kind.find(call, call.params.int(1));
    const level = call.params.int(2);
    const test = call.params.boolean(3, false);
    authorize(call, 'MANAGE', protectedOf(kind, object), { ignoreLock: true });
    if (level < 1 || level > 4) throw action('Wrong lock level specified');
    if (object.lock && test) throw action(String(object.lock.time)); // the time of the lock is the whole text (PoolObjectSQL::test_lock_db)
    if (object.lock && object.lock.owner !== call.caller.id && !call.isAdmin) throw action('Error trying to lock the resource.');
    // Levels: 1 USE, 2 MANAGE, 3 ADMIN, 4 all, which is the same as USE; stored as the lowest right that is refused.
    object.lock = { level: level === 4 ? 1 : level, owner: call.caller.id, time: call.cloud.now(), requestId: call.requestId };
    return object.id;
  };

const unlock =
  (kind: Kind): Method =>
  (call) => {
    const object = kind.find(call, call.params.int(1));
    authorize(call, 'MANAGE', protectedOf(kind, object), { ignoreLock: true });
    // An unlocked object belongs to no lock owner: whoever is no admin is refused (PoolObjectSQL::unlock_db).
    if (!call.isAdmin && object.lock?.owner !== call.caller.id) throw action('Cannot unlock: Lock is owned by another user');
    delete object.lock;
    return object.id;
  };

const rename =
  (kind: Kind): Method =>
  (call) => {
    const object = kind.find(call, call.params.int(1));
    const name = call.params.string(2);
    if (object.name === name) return object.id;
    authorizeAll(call, [renameNeed(call, kind, object)]);
    const taken = namesake(call, kind, object.uid, name, object.id);
    if (taken) throw action(`${kind.name} cannot be renamed to ${name} because it collides with ${kind.name} ${taken.id}`);
    const invalid = whyInvalidName(name);
    if (invalid !== undefined) throw action(invalid);
    object.name = name;
    return object.id;
  };

function renameNeed(call: Call, kind: Kind, object: Owned): Need {
  const operation: OperationName = kind.type === 'VM' ? vmActionRight(call.cloud.world, call.subject, 'rename') : 'MANAGE';
  return { operation, object: protectedOf(kind, object) };
}

function namesake(call: Call, kind: Kind, uid: number, name: string, except: number): Owned | undefined {
  return [...(kind.siblings?.(call) ?? [])].find((other) => other.uid === uid && other.name === name && other.id !== except);
}

/** chown, chmod and rename of owned objects, lock and unlock of those that can be locked. */
export const ownershipMethods: Readonly<Record<string, Method>> = Object.fromEntries(
  KINDS.flatMap((kind): [string, Method][] => [
    [`${kind.prefix}.chown`, chown(kind)],
    [`${kind.prefix}.chmod`, chmod(kind)],
    [`${kind.prefix}.rename`, rename(kind)],
    ...(kind.lockable
      ? ([
          [`${kind.prefix}.lock`, lock(kind)],
          [`${kind.prefix}.unlock`, unlock(kind)],
        ] satisfies [string, Method][])
      : []),
  ]),
);
