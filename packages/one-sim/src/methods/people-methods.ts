import { randomBytes } from 'node:crypto';
import { groupBody, groupPoolBody, userBody, userPoolBody } from '../bodies/people-body.ts';
import type { Group, User } from '../model/world-schema.ts';
import { setLimits } from '../quotas/quota-limits.ts';
import { groupObject, mayDo, userObject } from '../rights/authorization.ts';
import { parseTemplate, TemplateSyntaxError } from '../template/parse-template.ts';
import { action, ERROR_CODE, Refusal } from '../wire/refusal.ts';
import { authorize, type Call, groupOf, type Method, userOf } from './call.ts';
import { hashPassword } from './password-hash.ts';

const userInfo: Method = (call) => {
  const id = call.params.int(1);
  const user = userOf(call, id === -1 ? call.caller.id : id);
  authorize(call, 'USE', userObject(user), { ignoreLock: true });
  return userBody(call.cloud.world, user, { quotas: true });
};

const groupInfo: Method = (call) => {
  const id = call.params.int(1);
  const group = groupOf(call, id === -1 ? call.subject.gid : id);
  authorize(call, 'USE', groupObject(group.id), { ignoreLock: true });
  return groupBody(call.cloud.world, group, { quotas: true });
};

const newestFirst = <T extends { readonly id: number }>(objects: Iterable<T>): T[] => [...objects].sort((a, b) => b.id - a.id);

const userPool: Method = (call) => {
  const visible = newestFirst(call.cloud.world.users.values()).filter((user) => mayDo(call.subject, { operation: 'USE', object: userObject(user) }));
  return userPoolBody(call.cloud.world, visible);
};

const groupPool: Method = (call) => {
  const visible = newestFirst(call.cloud.world.groups.values()).filter((group) => mayDo(call.subject, { operation: 'USE', object: groupObject(group.id) }));
  return groupPoolBody(call.cloud.world, visible);
};

const MAX_TOKENS = 10;
const tokenRefused = (text: string): Refusal => new Refusal(ERROR_CODE.XML_RPC_API, text);

/** one.user.login(user, token, seconds, egid?): makes, keeps or (with 0 seconds) revokes tokens (src/rm/RequestManagerUser.cc, src/um/LoginToken.cc). */
const login: Method = (call) => {
  const { params, subject, cloud } = call;
  const name = params.string(1);
  const given = params.string(2);
  const seconds = params.int(3);
  const gid = params.int(4, -1);
  const user = [...cloud.world.users.values()].find((candidate) => candidate.name === name);
  if (!user) throw new Refusal(ERROR_CODE.NO_EXISTS, 'Error getting user Pool.');
  authorize(call, 'MANAGE', userObject(user));
  if (seconds === 0) return revoke(user, given);
  if (seconds < -1) throw tokenRefused('Wrong valid period for token');
  if (gid !== -1 && !call.isAdmin && !(user.groupIds.includes(gid) && subject.groupIds.includes(gid))) {
    throw tokenRefused('EGID is not in user group list');
  }
  if (gid === -1 && !sameGroups(user.groupIds, subject.groupIds)) throw tokenRefused('Cannot create a full token with a specific group token');
  user.tokens = user.tokens.filter((token) => token.expires === -1 || token.expires >= cloud.now());
  if (user.tokens.length >= MAX_TOKENS) throw tokenRefused('Max number of tokens limit reached.');
  const token = given === '' ? randomBytes(32).toString('hex') : given;
  if (user.tokens.every((other) => other.token !== token)) user.tokens.push({ token, expires: seconds === -1 ? -1 : cloud.now() + seconds, gid });
  return token;
};

function revoke(user: User, token: string): string {
  if (token === '') user.tokens = [];
  else if (user.tokens.some((other) => other.token === token)) user.tokens = user.tokens.filter((other) => other.token !== token);
  else throw tokenRefused(`Could not find token: ${token}`);
  return token;
}

function sameGroups(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}

/** one.user.passwd(id, password): a new password, which ends no login token (UserChangePassword in src/rm/RequestManagerUser.cc, User::set_password). */
const changePassword: Method = (call) => {
  const user = userOf(call, call.params.int(1));
  const password = call.params.string(2);
  authorize(call, 'MANAGE', userObject(user));
  if (password === '') throw action('Invalid password, it cannot be empty');
  user.passwordSha256 = hashPassword(password);
  return user.id;
};

/** one.user.enable(user, yes or no): one that is disabled is nobody to authenticate (src/rm/RequestManagerUser.cc, UserEnable). */
const enable: Method = (call) => {
  const user = userOf(call, call.params.int(1));
  authorize(call, 'ADMIN', userObject(user));
  user.enabled = call.params.boolean(2);
  return user.id;
};

/** one.user.quota and one.group.quota: `DATASTORE=[ID="1",SIZE="1024"]` and the like; everything else keeps its limit. */
const setUserQuota: Method = (call) => {
  const user = userOf(call, call.params.int(1));
  authorize(call, 'ADMIN', userObject(user));
  if (user.id === 0) throw action('Cannot set quotas for oneadmin user');
  setQuotas(call, user);
  return user.id;
};

const setGroupQuota: Method = (call) => {
  const id = call.params.int(1);
  if (id === 0) throw action('Cannot set quotas for oneadmin group');
  const group = groupOf(call, id);
  authorize(call, 'ADMIN', groupObject(group.id));
  setQuotas(call, group);
  return group.id;
};

function setQuotas(call: Call, owner: User | Group): void {
  const refused = setLimits(call.cloud.world, owner.quotas, templateOf(call.params.string(2)));
  if (refused !== undefined) throw action(refused);
}

function templateOf(text: string): ReturnType<typeof parseTemplate> {
  try {
    return parseTemplate(text);
  } catch (error) {
    if (error instanceof TemplateSyntaxError) throw action(error.message);
    throw error;
  }
}

export const peopleMethods: Readonly<Record<string, Method>> = {
  'one.user.info': userInfo,
  'one.userpool.info': userPool,
  'one.user.login': login,
  'one.user.passwd': changePassword,
  'one.user.enable': enable,
  'one.user.quota': setUserQuota,
  'one.group.info': groupInfo,
  'one.grouppool.info': groupPool,
  'one.group.quota': setGroupQuota,
};
