import type { Answer, CallInput, OperationId, Role } from '@onevault/api';
import type { FakeState } from './fake-state.ts';
import { Refusal } from './refusal.ts';

/** One call, checked against the operation's schemas. */
export interface FakeCall<Id extends OperationId> {
  readonly params: CallInput<Id>['params'] & object;
  readonly query: Readonly<Record<string, string | number | undefined>>;
  readonly body: CallInput<Id>['body'] & object;
  readonly user: string;
  readonly role: Role;
}
export type FakeHandlers = { readonly [Id in OperationId]?: (call: FakeCall<Id>) => Answer<Id> | string };

/** One page of a list; the cursor is where the next begins. */
export function pageOf<T>(all: readonly T[], { limit, cursor }: FakeCall<'listVms'>['query']): { items: T[]; next?: string } {
  const from = Number(cursor ?? 0);
  const to = from + Number(limit ?? 100);
  return { items: all.slice(from, to), ...(to < all.length && { next: String(to) }) };
}

export function pointOf(state: FakeState, id: string): Answer<'getPoint'> {
  const vmId = Math.floor(Number.parseInt(id.split('-').at(-1) ?? '', 36) / 1000);
  const point = state.pointsOf(vmId).find((each) => each.id === id);
  if (point === undefined) throw new Refusal(404, 'SERVER_POINT_NOT_FOUND', `there is no restore point ${id}`);
  return point;
}
