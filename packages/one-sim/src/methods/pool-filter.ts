import type { Owned } from '../model/world-schema.ts';
import { ERROR_CODE, Refusal } from '../wire/refusal.ts';
import { type Call, isPermitted, RIGHT } from './call.ts';

/** filter, start, end of the pool methods (a.4): who may be seen, which range or page, newest first. */
export function selectPool<T extends Owned>(call: Call, objects: Iterable<T>): T[] {
  const { params } = call;
  const filter = params.int(1);
  const start = params.int(2);
  const end = params.int(3);
  if (filter < -4) throw new Refusal(ERROR_CODE.XML_RPC_API, 'Incorrect filter_flag');
  const visible = [...objects].filter((object) => isShown(call, object, filter)).sort((a, b) => b.id - a.id);
  if (start >= 0 && end < -1) return visible.slice(start, start - end); // (offset, -pagesize)
  return visible.filter((object) => (start < 0 || object.id >= start) && (end < 0 || object.id <= end));
}

function isShown(call: Call, object: Owned, filter: number): boolean {
  const mine = object.uid === call.caller.id;
  switch (filter) {
    case -4:
      return object.gid === call.caller.gid && isPermitted(call, object, RIGHT.USE);
    case -3:
      return mine;
    case -2:
      return isPermitted(call, object, RIGHT.USE);
    case -1:
      return mine || (call.caller.groupIds.includes(object.gid) && isPermitted(call, object, RIGHT.USE));
    default:
      return object.uid === filter && isPermitted(call, object, RIGHT.USE);
  }
}
