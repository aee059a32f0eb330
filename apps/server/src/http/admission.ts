import type { Operation } from '@onevault/api';
import type { FastifyRequest } from 'fastify';
import { isInScope, notSignedIn } from '../access/access.ts';
import type { AccessCaller } from '../access/access-caller.ts';
import { sameText } from '../access/hashed-secret.ts';
import { reaches } from '../access/roles.ts';
import { ServerError } from '../errors.ts';
import type { RouteDeps } from './operation-route.ts';
import { checkOrigin } from './origin.ts';
import { readCookie, SESSION_COOKIE } from './session-cookie.ts';
import { visitOf } from './visit.ts';

type AdmissionDeps = Pick<RouteDeps, 'access' | 'settings' | 'perCaller'>;

/** Who asks, and whether they may ask this at all; before a byte of the body is read. */
export async function admit(request: FastifyRequest, operation: Operation, deps: AdmissionDeps): Promise<void> {
  if (operation.role === 'public') {
    if (operation.signIn === true) checkOrigin(request, deps.settings);
    return;
  }
  const caller = await deps.access.authenticate({ sessionSecret: readCookie(request.headers.cookie, SESSION_COOKIE), bearer: readBearer(request) });
  visitOf(request).caller = caller;
  deps.perCaller.take(caller.token?.id ?? `user ${caller.userId}`);
  if (caller.session !== undefined && request.method !== 'GET') checkForgery(request, caller, deps);
  if (!isInScope(caller, operation)) throw outOfScope(operation);
  if (!reaches(caller.role, operation.role)) throw roleTooLow(operation);
}

function readBearer(request: FastifyRequest): string | undefined {
  const { authorization } = request.headers;
  if (authorization === undefined) return undefined;
  const [, secret] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
  if (secret === undefined) throw notSignedIn();
  return secret;
}

/** A cookie is sent by the browser whoever made the page; the token only a page of ours can know. */
function checkForgery(request: FastifyRequest, caller: AccessCaller, deps: AdmissionDeps): void {
  checkOrigin(request, deps.settings);
  const given = request.headers['x-csrf-token'];
  if (typeof given !== 'string' || !sameText(given, caller.session?.csrfToken ?? '')) {
    throw new ServerError({
      code: 'SERVER_CSRF',
      message: 'the CSRF token is missing or not the one of this session',
      hint: 'Send X-CSRF-Token as GET /session answers it',
    });
  }
}

function outOfScope({ id }: Operation): ServerError {
  return new ServerError({ code: 'SERVER_FORBIDDEN', message: `this token is not for ${id}`, hint: 'Create a token whose operations include it, or sign in' });
}

function roleTooLow({ id, role }: Operation): ServerError {
  return new ServerError({ code: 'SERVER_FORBIDDEN', message: `${id} needs the role ${role}`, hint: 'Roles are given by an administrator of onevault' });
}
