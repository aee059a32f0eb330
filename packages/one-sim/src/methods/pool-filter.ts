import type { Owned } from '../model/world-schema.ts';
import type { ObjectType } from '../rights/acl-rule.ts';
import { mayDo, ownedObject } from '../rights/authorization.ts';
import { ERROR_CODE, Refusal } from '../wire/refusal.ts';
import type { Call } from './call.ts';

/** filter, start, end of the pool methods (src/pool/PoolSQL.cc): who may be seen, which range or page, newest first (API_LIST_ORDER). */
export function selectPool<T extends Owned>(call: Call, type: ObjectType, objects: Iterable<T>): T[] {
  const { params } = call;
  return page(visibleOf(call, type, objects, params.int(1)), params.int(2), params.int(3));
}

/** What a pool without paging shows: all that the caller may USE. */
export function visiblePool<T extends Owned & { readonly clusterIds?: readonly number[] }>(call: Call, type: ObjectType, objects: Iterable<T>): T[] {
  return visibleOf(call, type, objects, -2);
}

function visibleOf<T extends Owned>(call: Call, type: ObjectType, objects: Iterable<T>, filter: number): T[] {
  if (filter < -4) throw new Refusal(ERROR_CODE.XML_RPC_API, 'Incorrect filter_flag');
  return [...objects].filter((object) => isShown(call, type, object, filter)).sort((a, b) => b.id - a.id);
}

/** (offset, -pagesize) is an SQL LIMIT; a start of -1 means the whole pool, an end of -1 no upper bound. */
function page<T extends Owned>(objects: readonly T[], start: number, end: number): T[] {
  if (end < -1) return objects.slice(Math.max(start, 0), Math.max(start, 0) - end);
  if (start === -1) return [...objects];
  return objects.filter((object) => object.id >= start && (end === -1 || object.id <= end));
}

function isShown(call: Call, type: ObjectType, object: Owned, filter: number): boolean {
  const mine = object.uid === call.caller.id;
  switch (filter) {
    case -4:
      return object.gid === call.subject.gid && (mine || mayUse(call, type, object));
    case -3:
      return mine;
    case -2:
      return mine || mayUse(call, type, object);
    case -1:
      return mine || (call.subject.groupIds.includes(object.gid) && mayUse(call, type, object));
    default:
      return object.uid === filter && (mine || mayUse(call, type, object));
  }
}

function mayUse(call: Call, type: ObjectType, object: Owned): boolean {
  return call.isAdmin || mayDo(call.subject, { operation: 'USE', object: ownedObject(type, object), ignoreLock: true });
}
