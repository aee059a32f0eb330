import type { Readable } from 'node:stream';
import type { Role, StreamEvent } from '@onevault/api';
import type { Guarded, Right } from '@onevault/one-client';
import type { InventoryVm } from './inventory.ts';

/** Who asks. What they see and may touch is what OpenNebula lets that user see and touch, whatever the role. */
export interface Caller {
  readonly kind: 'user' | 'token';
  /** Name of the user in OpenNebula; of a token, its owner's. */
  readonly user: string;
  readonly userId: number;
  readonly groupId: number;
  readonly groups: readonly string[];
  readonly role: Role;
  /** As it stands in the audit log: the user, or the token's name and its owner. */
  readonly label: string;
  mayUse(vm: InventoryVm): boolean;
  mayManage(vm: InventoryVm): boolean;
  /** Of any other object of OpenNebula, whatever locks it has. */
  may(right: Right, object: Guarded): boolean;
}

/** One call of an operation, checked against its schemas; role and object rule have been looked at before the handler sees it. */
export interface Call<Params = unknown, Query = unknown, Body = unknown> {
  readonly caller: Caller;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Aborted when the client is gone or the server ends. */
  readonly signal: AbortSignal;
  readonly idempotencyKey?: string;
  readonly lastEventId?: string;
  readonly address: string;
}

/** A body that is no JSON. */
export interface FileAnswer {
  readonly contentType: string;
  readonly filename?: string;
  readonly body: Readable | string | Uint8Array;
}

/** What an operation does. JSON answers are checked against the operation's schema; event answers are an async iterable, file answers a FileAnswer. */
export type Handler<Params = unknown, Query = unknown, Body = unknown> = (call: Call<Params, Query, Body>) => Promise<unknown> | AsyncIterable<StreamEvent>;

/** By operation id. The HTTP side joins the tables of all parts and refuses to start with one missing or one too many. */
export type HandlerTable = Readonly<Record<string, Handler<never, never, never>>>;
