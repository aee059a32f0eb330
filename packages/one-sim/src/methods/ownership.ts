import type { Owned } from '../model/world-schema.ts';
import { action, ERROR_CODE, noExists, Refusal } from '../wire/refusal.ts';
import { authorize, type Call, imageOf, type Method, RIGHT, templateOf, vmOf, whyInvalidName } from './call.ts';

interface Kind {
  readonly prefix: string;
  readonly typeName: string;
  readonly find: (call: Call, id: number) => Owned;
  /** Names are unique per owner. */
  readonly siblings: ((call: Call) => Iterable<Owned>) | undefined;
}

const KINDS: readonly Kind[] = [
  { prefix: 'one.vm', typeName: 'VM', find: vmOf, siblings: undefined },
  { prefix: 'one.image', typeName: 'IMAGE', find: imageOf, siblings: (call) => call.cloud.world.images.values() },
  { prefix: 'one.template', typeName: 'TEMPLATE', find: templateOf, siblings: (call) => call.cloud.world.templates.values() },
];

const chown =
  (kind: Kind): Method =>
  (call) => {
    const object = kind.find(call, call.params.int(1));
    const uid = call.params.int(2);
    const gid = call.params.int(3);
    authorize(call, object, kind.typeName, RIGHT.MANAGE);
    if (uid !== -1 && !call.cloud.world.users.has(uid)) throw noExists('user', uid);
    if (gid !== -1 && !call.cloud.world.groups.has(gid)) throw noExists('group', gid);
    if (uid !== -1 && uid !== call.caller.id && !call.isAdmin) {
      throw new Refusal(ERROR_CODE.AUTHORIZATION, `User [${call.caller.id}] : Not authorized to perform MANAGE USER [${uid}].`);
    }
    if (uid !== -1) object.uid = uid;
    if (gid !== -1) object.gid = gid;
    return object.id;
  };

const chmod =
  (kind: Kind): Method =>
  (call) => {
    const object = kind.find(call, call.params.int(1));
    const bits = Array.from({ length: 9 }, (_, at) => call.params.int(2 + at));
    const touchesAdmin = [2, 5, 6, 7, 8].some((at) => bits[at] !== -1 && bits[at] !== object.permissions[at]);
    authorize(call, object, kind.typeName, touchesAdmin ? RIGHT.ADMIN : RIGHT.MANAGE);
    object.permissions = object.permissions.map((old, at) => (bits[at] === -1 ? old : (bits[at] ?? old)));
    return object.id;
  };

const lock =
  (kind: Kind): Method =>
  (call) => {
    const object = kind.find(call, call.params.int(1));
    const level = call.params.int(2);
    const test = call.params.boolean(3, false);
    authorize(call, object, kind.typeName, RIGHT.MANAGE, { ignoreLock: true });
    if (level < 1 || level > 4) throw action('Wrong lock level specified');
    if (object.lock && (test || (object.lock.owner !== call.caller.id && !call.isAdmin))) throw action('Error trying to lock the resource.');
    // Levels: 1 USE, 2 MANAGE, 3 ADMIN, 4 all; stored as the lowest right that is refused.
    object.lock = { level: level === 4 ? 1 : level, owner: call.caller.id, time: call.cloud.now(), requestId: call.requestId };
    return object.id;
  };

const unlock =
  (kind: Kind): Method =>
  (call) => {
    const object = kind.find(call, call.params.int(1));
    authorize(call, object, kind.typeName, RIGHT.MANAGE, { ignoreLock: true });
    if (object.lock && object.lock.owner !== call.caller.id && !call.isAdmin) throw action('Cannot unlock: Lock is owned by another user');
    delete object.lock;
    return object.id;
  };

const rename =
  (kind: Kind): Method =>
  (call) => {
    const object = kind.find(call, call.params.int(1));
    const name = call.params.string(2);
    authorize(call, object, kind.typeName, RIGHT.MANAGE);
    const invalid = whyInvalidName(name);
    if (invalid !== undefined) throw action(invalid);
    const taken = [...(kind.siblings?.(call) ?? [])].find((other) => other.uid === object.uid && other.name === name && other.id !== object.id);
    if (taken) throw action(`NAME is already taken by ${kind.typeName} [${taken.id}]`);
    object.name = name;
    return object.id;
  };

/** chown, chmod, lock, unlock and rename of VMs, images and templates. */
export const ownershipMethods: Readonly<Record<string, Method>> = Object.fromEntries(
  KINDS.flatMap((kind): [string, Method][] => [
    [`${kind.prefix}.chown`, chown(kind)],
    [`${kind.prefix}.chmod`, chmod(kind)],
    [`${kind.prefix}.lock`, lock(kind)],
    [`${kind.prefix}.unlock`, unlock(kind)],
    [`${kind.prefix}.rename`, rename(kind)],
  ]),
);
