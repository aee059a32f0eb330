import type { Cloud } from '../cloud.ts';
import type { Operation, User } from '../model/world-schema.ts';
import { type Subject, subjectOf } from '../rights/authorization.ts';
import type { Answer, MethodCall } from '../wire/envelope.ts';
import { Params } from '../wire/params.ts';
import { ERROR_CODE, FAULT_CODE, Fault, Refusal } from '../wire/refusal.ts';
import { aclMethods } from './acl-methods.ts';
import type { Method } from './call.ts';
import { imageMethods } from './image-methods.ts';
import { infrastructureMethods } from './infrastructure-methods.ts';
import { ownershipMethods } from './ownership.ts';
import { hashPassword } from './password-hash.ts';
import { peopleMethods } from './people-methods.ts';
import { systemMethods } from './system-methods.ts';
import { templateMethods } from './template-methods.ts';
import { vmBackupMethods } from './vm-backup.ts';
import { vmHotplugMethods } from './vm-hotplug.ts';
import { vmManageMethods } from './vm-manage.ts';
import { vmMoveMethods } from './vm-move.ts';
import { vmReadMethods } from './vm-read.ts';
import { vmSaveAsMethods } from './vm-saveas.ts';
import { vmSnapshotMethods } from './vm-snapshot.ts';

const METHODS = new Map<string, Method>(
  [
    vmReadMethods,
    vmSnapshotMethods,
    vmSaveAsMethods,
    vmHotplugMethods,
    vmManageMethods,
    vmMoveMethods,
    vmBackupMethods,
    imageMethods,
    templateMethods,
    infrastructureMethods,
    systemMethods,
    ownershipMethods,
    peopleMethods,
    aclMethods,
  ].flatMap((table) => Object.entries(table)),
);

const READ_ONLY = /\.(info|infoextended|infoset|monitoring|version|config)$/;

export interface Executed {
  readonly answer: Answer;
  /** Operations to start once the answer is on its way. */
  readonly afterAnswer: readonly Operation[];
}

/** Executes one call. What it changed is durable when this resolves. Throws Refusal or Fault. */
export async function execute(cloud: Cloud, call: MethodCall): Promise<Executed> {
  const run = methodOf(call.method); // an unknown method is a fault before anybody asks who calls
  const params = new Params(call.params);
  return perform(cloud, run, call.method, params, authenticate(cloud, params.string(0)));
}

/** As `execute`, for a caller that needs no password; `params` begin after the session. */
export function executeAs(cloud: Cloud, user: User, method: string, params: readonly unknown[]): Promise<Executed> {
  return perform(cloud, methodOf(method), method, new Params(['', ...params]), subjectOf(cloud.world, user));
}

function methodOf(name: string): Method {
  const method = METHODS.get(name);
  if (!method) throw new Fault(FAULT_CODE.NO_SUCH_METHOD, `Method '${name}' not defined`);
  return method;
}

async function perform(cloud: Cloud, run: Method, method: string, params: Params, subject: Subject): Promise<Executed> {
  const afterAnswer: Operation[] = [];
  const { user: caller, isAdmin } = subject;
  const answer = await run({ cloud, caller, subject, isAdmin, params, requestId: cloud.nextRequestId(), afterAnswer });
  if (!READ_ONLY.test(method)) await cloud.store.commit();
  return { answer, afterAnswer };
}

/** `user:secret`, split at the first colon; the secret is the password or a login token (UserPool::authenticate_internal). */
function authenticate(cloud: Cloud, session: string): Subject {
  const colon = session.indexOf(':');
  const secret = session.slice(colon + 1);
  const user = [...cloud.world.users.values()].find((candidate) => candidate.name === session.slice(0, Math.max(0, colon)));
  const token = user?.tokens.find((candidate) => candidate.token === secret);
  if (user?.enabled && token && isValidToken(token, cloud.now())) return subjectOf(cloud.world, user, token.gid === -1 ? undefined : token.gid);
  if (user?.enabled && !token && user.passwordSha256 === hashPassword(secret)) return subjectOf(cloud.world, user);
  throw new Refusal(ERROR_CODE.AUTHENTICATION, "User couldn't be authenticated, aborting call.");
}

function isValidToken(token: { readonly expires: number }, now: number): boolean {
  return token.expires === -1 || now < token.expires;
}
