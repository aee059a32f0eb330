import type { Cloud } from '../cloud.ts';
import type { Datastore, Group, Image, Operation, User, Vm, VmTemplate } from '../model/world-schema.ts';
import { type QuotaRequest, whyOverQuota } from '../quotas/quota-check.ts';
import type { OperationName } from '../rights/acl-rule.ts';
import { type Need, ownedObject, type Protected, type Subject, whyUnauthorized } from '../rights/authorization.ts';
import { vmActionRight } from '../rights/vm-actions.ts';
import type { Attributes } from '../template/attributes.ts';
import { parseTemplate, TemplateSyntaxError } from '../template/parse-template.ts';
import type { Answer } from '../wire/envelope.ts';
import type { Params } from '../wire/params.ts';
import { ERROR_CODE, internal, noExists, Refusal } from '../wire/refusal.ts';

/** One request: who asks what. */
export interface Call {
  readonly cloud: Cloud;
  readonly caller: User;
  readonly subject: Subject;
  readonly isAdmin: boolean;
  readonly params: Params;
  readonly requestId: number;
  /** Operations whose first step must come after the answer left (one.vm.action). */
  readonly afterAnswer: Operation[];
}

export type Method = (call: Call) => Answer | Promise<Answer>;

/** Refuses unless the caller may do all of it; every refusal is named, in order. */
export function authorizeAll(call: Call, needs: readonly Need[]): void {
  const text = whyUnauthorized(call.subject, needs);
  if (text !== undefined) throw unauthorized(call, text);
}

/** The answer of code 512: `User [2] : <text>.` */
function unauthorized(call: Call, text: string): Refusal {
  return new Refusal(ERROR_CODE.AUTHORIZATION, `User [${call.caller.id}] : ${text}.`);
}

export function authorize(call: Call, operation: OperationName, object: Protected, options: { readonly ignoreLock?: boolean } = {}): void {
  authorizeAll(call, [{ operation, object, ...options }]);
}

export const onVm = (vm: Vm): Protected => ownedObject('VM', vm);
export const onImage = (image: Image): Protected => ownedObject('IMAGE', image);
export const onTemplate = (template: VmTemplate): Protected => ownedObject('TEMPLATE', template);
export const onDatastore = (datastore: Datastore): Protected => ownedObject('DATASTORE', datastore);

/** The right that VM_*_OPERATIONS ask for this action, on that VM. */
export function vmNeed(call: Call, vm: Vm, action: string): Need {
  return { operation: vmActionRight(call.cloud.world, call.subject, action), object: onVm(vm) };
}

/** Refuses with code 512 when the owner's quotas, or those of its group, leave no room. */
export function requireQuota(call: Call, owner: { readonly uid: number; readonly gid: number }, request: QuotaRequest): void {
  const text = whyOverQuota(call.cloud.world, owner, request);
  if (text !== undefined) throw unauthorized(call, text);
}

export function vmOf(call: Call, id: number): Vm {
  const vm = call.cloud.world.vms.get(id);
  if (!vm) throw noExists('virtual machine', id);
  return vm;
}

/** To be read only. */
export function readVm(call: Call, id: number): Vm {
  const vm = call.cloud.world.vms.peek(id);
  if (!vm) throw noExists('virtual machine', id);
  return vm;
}

/** To be read only. */
export function readImage(call: Call, id: number): Image {
  const image = call.cloud.world.images.peek(id);
  if (!image) throw noExists('image', id);
  return image;
}

export function datastoreOf(call: Call, id: number): Datastore {
  const datastore = call.cloud.world.datastores.get(id);
  if (!datastore) throw noExists('datastore', id);
  return datastore;
}

export function userOf(call: Call, id: number): User {
  const user = call.cloud.world.users.get(id);
  if (!user) throw noExists('user', id);
  return user;
}

export function groupOf(call: Call, id: number): Group {
  const group = call.cloud.world.groups.get(id);
  if (!group) throw noExists('group', id);
  return group;
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

const INVALID_NAME_CHARS = '&|:\\";/\'#{}$<>\t\n\v\f\r';
const MAX_NAME_BYTES = 128;

/** Why a name may not be used (PoolObjectSQL::name_is_valid), or undefined. */
export function whyInvalidName(name: string): string | undefined {
  if (name === '') return 'Invalid NAME, it cannot be empty';
  const bad = [...name].find((c) => INVALID_NAME_CHARS.includes(c));
  if (bad !== undefined) return `Invalid NAME, char '${bad}' is not allowed`;
  return Buffer.byteLength(name) > MAX_NAME_BYTES ? 'Invalid NAME, max length is 128 chars' : undefined;
}

/** Who acts, for the history. */
export function actor(call: Call): { readonly uid: number; readonly gid: number; readonly requestId: number } {
  return { uid: call.caller.id, gid: call.subject.gid, requestId: call.requestId };
}

/** Permissions of a new object: USE and MANAGE for the owner (DEFAULT_UMASK 177). */
export function ownedBy(call: Call): { uid: number; gid: number; permissions: number[] } {
  return { uid: call.caller.id, gid: call.subject.gid, permissions: [1, 1, 0, 0, 0, 0, 0, 0, 0] };
}
