import type { Cloud } from '../cloud.ts';
import type { Image, Operation, Owned, User, Vm, VmTemplate } from '../model/world-schema.ts';
import type { Attributes } from '../template/attributes.ts';
import { parseTemplate, TemplateSyntaxError } from '../template/parse-template.ts';
import type { Answer } from '../wire/envelope.ts';
import type { Params } from '../wire/params.ts';
import { ERROR_CODE, internal, noExists, Refusal } from '../wire/refusal.ts';

/** One request: who asks what. */
export interface Call {
  readonly cloud: Cloud;
  readonly caller: User;
  readonly isAdmin: boolean;
  readonly params: Params;
  readonly requestId: number;
  /** Operations whose first step must come after the answer left (one.vm.action). */
  readonly afterAnswer: Operation[];
}

export type Method = (call: Call) => Answer | Promise<Answer>;

export const RIGHT = { USE: 1, MANAGE: 2, ADMIN: 3 } as const;
export type Right = (typeof RIGHT)[keyof typeof RIGHT];
const RIGHT_NAME: Readonly<Record<Right, string>> = { 1: 'USE', 2: 'MANAGE', 3: 'ADMIN' };

/** Owner, group and other bits; uid 0 and the oneadmin group may everything that is not locked (AclManager.cc:203, AuthManager.cc:97). */
export function authorize(call: Call, object: Owned, typeName: string, right: Right, options: { readonly ignoreLock?: boolean } = {}): void {
  const locked = !options.ignoreLock && object.lock !== undefined && object.lock.level <= right;
  if (isPermitted(call, object, right) && !locked) return;
  const text = locked && call.isAdmin ? `${typeName} is locked. [${object.id}]` : `Not authorized to perform ${RIGHT_NAME[right]} ${typeName} [${object.id}]`;
  throw new Refusal(ERROR_CODE.AUTHORIZATION, `User [${call.caller.id}] : ${text}.`);
}

export function isPermitted(call: Call, object: Owned, right: Right): boolean {
  if (call.isAdmin) return true;
  const bit = (group: number): boolean => object.permissions[group * 3 + right - 1] === 1;
  return (object.uid === call.caller.id && bit(0)) || (call.caller.groupIds.includes(object.gid) && bit(1)) || bit(2);
}

/** Refuses callers outside the oneadmin group. */
export function requireAdmin(call: Call, what: string): void {
  if (!call.isAdmin) throw new Refusal(ERROR_CODE.AUTHORIZATION, `User [${call.caller.id}] : Not authorized to perform ${what}.`);
}

export function vmOf(call: Call, id: number): Vm {
  const vm = call.cloud.world.vms.get(id);
  if (!vm) throw noExists('virtual machine', id);
  return vm;
}

export function imageOf(call: Call, id: number): Image {
  const image = call.cloud.world.images.get(id);
  if (!image) throw noExists('image', id);
  return image;
}

export function templateOf(call: Call, id: number): VmTemplate {
  const template = call.cloud.world.templates.get(id);
  if (!template) throw noExists('virtual machine template', id);
  return template;
}

/** A template text of the caller; unreadable ones are refused as oned does. */
export function attributesOf(text: string): Attributes {
  try {
    return parseTemplate(text);
  } catch (error) {
    if (error instanceof TemplateSyntaxError) throw internal(`Parse error: ${error.message}`);
    throw error;
  }
}

const INVALID_NAME_CHARS = '&|:\\";/\'#{}$<>';
const MAX_NAME = 128;

/** Why a name may not be used (PoolObjectSQL::name_is_valid), or undefined. */
export function whyInvalidName(name: string): string | undefined {
  if (name === '') return 'Invalid NAME, it cannot be empty';
  const bad = [...name].find((c) => INVALID_NAME_CHARS.includes(c) || c < ' ');
  if (bad !== undefined) return `Invalid NAME, char '${bad}' is not allowed`;
  return name.length > MAX_NAME ? 'Invalid NAME, max length is 128 chars' : undefined;
}

/** Who acts, for the history. */
export function actor(call: Call): { readonly uid: number; readonly gid: number; readonly requestId: number } {
  return { uid: call.caller.id, gid: call.caller.gid, requestId: call.requestId };
}

/** Permissions of a new object: USE and MANAGE for the owner (DEFAULT_UMASK 177). */
export function ownedBy(call: Call): { uid: number; gid: number; permissions: number[] } {
  return { uid: call.caller.id, gid: call.caller.gid, permissions: [1, 1, 0, 0, 0, 0, 0, 0, 0] };
}
