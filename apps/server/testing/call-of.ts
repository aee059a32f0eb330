import type { Call, Caller } from '../src/ports/call.ts';

/** An admin who may do everything. */
export const SOMEBODY: Caller = {
  kind: 'user',
  user: 'oneadmin',
  userId: 0,
  groupId: 0,
  groups: ['oneadmin'],
  role: 'admin',
  label: 'oneadmin',
  mayUse: () => true,
  mayManage: () => true,
  may: () => true,
};

/** A call as the HTTP side makes it. */
export function callOf(call: Partial<Call> = {}): Call {
  return { caller: SOMEBODY, params: {}, query: {}, body: undefined, signal: new AbortController().signal, address: '127.0.0.1', ...call };
}
