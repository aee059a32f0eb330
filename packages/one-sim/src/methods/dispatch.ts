import { createHash } from 'node:crypto';
import type { Cloud } from '../cloud.ts';
import type { Operation, User } from '../model/world-schema.ts';
import type { Answer, MethodCall } from '../wire/envelope.ts';
import { Params } from '../wire/params.ts';
import { ERROR_CODE, FAULT_CODE, Fault, Refusal } from '../wire/refusal.ts';
import type { Method } from './call.ts';
import { imageMethods } from './image-methods.ts';
import { infrastructureMethods } from './infrastructure-methods.ts';
import { ownershipMethods } from './ownership.ts';
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
  ].flatMap((table) => Object.entries(table)),
);

const READ_ONLY = /\.(info|infoextended|infoset|monitoring|version|config)$/;

export interface Executed {
  readonly answer: Answer;
  /** Operations to start once the answer is on its way. */
  readonly afterAnswer: readonly Operation[];
}

/** Executes one call. What it changed is durable when this resolves. Throws Refusal or Fault. */
export async function execute(cloud: Cloud, { method, params }: MethodCall): Promise<Executed> {
  const run = METHODS.get(method);
  if (!run) throw new Fault(FAULT_CODE.NO_SUCH_METHOD, `Method '${method}' not defined`);
  const values = new Params(params);
  const caller = authenticate(cloud, values.string(0));
  const afterAnswer: Operation[] = [];
  const isAdmin = caller.id === 0 || caller.groupIds.includes(0);
  const answer = await run({ cloud, caller, isAdmin, params: values, requestId: cloud.nextRequestId(), afterAnswer });
  if (!READ_ONLY.test(method)) await cloud.store.commit();
  return { answer, afterAnswer };
}

/** `user:password`, split at the first colon. */
function authenticate(cloud: Cloud, session: string): User {
  const colon = session.indexOf(':');
  const user = [...cloud.world.users.values()].find((candidate) => candidate.name === session.slice(0, Math.max(0, colon)));
  if (user?.enabled && user.passwordSha256 === hashPassword(session.slice(colon + 1))) return user;
  throw new Refusal(ERROR_CODE.AUTHENTICATION, "User couldn't be authenticated, aborting call.");
}

export function hashPassword(password: string): string {
  return createHash('sha256').update(password).digest('hex');
}
