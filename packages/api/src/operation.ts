import type { z } from 'zod';

/** What a caller must be. viewer: sees. operator: backs up, restores, manages snapshots. admin: policies, repositories, users, settings. Each may what the ones before may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export type Method = 'get' | 'post' | 'put' | 'delete';

/** What the server looks up before it answers: a caller sees and touches only what OpenNebula lets them see and touch. */
export type ObjectRule =
  /** Nothing of anybody's in particular: the role decides. */
  | 'role'
  /** Only what the caller may USE is in the answer. */
  | 'filtered'
  /** The VM (or the restore point's VM) named in the path or body: USE to see. */
  | 'vm-use'
  /** The same: MANAGE to act. */
  | 'vm-manage'
  /** The caller's own session or token. */
  | 'self';

/** Whether a call of it is written into the audit log, also a refused one. */
export function isAudited({ method, audited = method !== 'get' }: Operation): boolean {
  return audited;
}

/** One operation of the API. Requests and answers are JSON unless `answer` says otherwise; errors are problem+json (RFC 9457). */
export interface Operation {
  /** Unique; the name in the OpenAPI document and in the audit log. */
  readonly id: string;
  readonly method: Method;
  /** Under `/api/v1`; parameters in braces. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  /** public: no sign-in. */
  readonly role: Role | 'public';
  readonly objects: ObjectRule;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly answer:
    | { readonly status: 200 | 201; readonly body: z.ZodType }
    /** A run was begun; `Location` names it. */
    | { readonly status: 202; readonly body: z.ZodType }
    | { readonly status: 204 }
    /** Server-sent events; each `data` is of this schema. Goes on behind `Last-Event-ID`. An event named `end` is the last one: do not connect again. */
    | { readonly status: 200; readonly events: z.ZodType }
    | { readonly status: 200; readonly file: string };
  /** Takes an `Idempotency-Key`: the same key and body again gets the first answer. */
  readonly idempotent?: boolean;
  /** Counted against the limit of sign-ins. */
  readonly signIn?: boolean;
  /** Whether a call is written into the audit log: of what is not a GET, unless it says `false`; of a GET that says `true`. */
  readonly audited?: boolean;
  /** Not for tokens: only somebody who has signed in. */
  readonly personal?: boolean;
  /** Of the largest body that is read. Default 256 KiB. */
  readonly bodyBytes?: number;
}
