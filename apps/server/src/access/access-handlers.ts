import { type accessSchemas, OPERATIONS, type Role } from '@onevault/api';
import type { z } from 'zod';
import { notFound, ServerError } from '../errors.ts';
import type { Call, HandlerTable } from '../ports/call.ts';
import type { Access } from './access.ts';
import { AccessCaller } from './access-caller.ts';
import type { ApiToken } from './api-tokens.ts';
import { auditHandlers } from './audit-handlers.ts';
import { reaches } from './roles.ts';
import { SessionAnswer } from './session-answer.ts';
import type { Session } from './sessions.ts';
import { userHandlers } from './user-handlers.ts';

type SignIn = z.output<typeof accessSchemas.signIn>;
type TokenSpec = z.output<typeof accessSchemas.tokenSpec>;

/** Handlers of what concerns users, sessions, tokens and the audit log. */
export function accessHandlers(access: Access): HandlerTable {
  return { ...sessionHandlers(access), ...tokenHandlers(access), ...userHandlers(access), ...auditHandlers(access.deps) };
}

function sessionHandlers(access: Access): HandlerTable {
  const { version, oidc } = access.deps;
  return {
    signIn: async ({ body, address, signal }: Call<unknown, unknown, SignIn>) => {
      const { secret, session } = await access.signingIn.withPassword({ user: body.user, address }, body.password, signal);
      const caller = await access.authenticate({ sessionSecret: secret, bearer: undefined });
      return new SessionAnswer(sessionView(caller, version), { secret, expiresAt: session.expiresAt });
    },
    signInOptions: async () => ({ password: true, ...(oidc && { oidc: { name: oidc.name, startPath: '/oidc/start' } }) }),
    whoAmI: async ({ caller }: Call) => sessionView(known(caller), version),
    signOut: async ({ caller }: Call) => {
      const { session } = known(caller);
      if (session !== undefined) access.sessions.end(session);
      return new SessionAnswer(undefined, undefined);
    },
  };
}

function sessionView(caller: AccessCaller, version: string): z.input<typeof accessSchemas.session> {
  const holds: Pick<Session, 'expiresAt'> | undefined = caller.session ?? caller.token;
  return {
    user: caller.user,
    userId: caller.userId,
    groups: [...caller.groups],
    role: caller.role,
    csrfToken: caller.session?.csrfToken ?? '',
    expiresAt: (holds?.expiresAt ?? new Date(0)).toISOString(),
    version,
  };
}

function tokenHandlers(access: Access): HandlerTable {
  const { tokens, deps } = access;
  return {
    listTokens: async ({ caller }: Call) =>
      tokens
        .list()
        .filter((token) => caller.role === 'admin' || token.userId === caller.userId)
        .map(tokenView),
    createToken: async ({ caller, body }: Call<unknown, unknown, TokenSpec>) => {
      const owner = known(caller);
      const expiresAt = new Date(body.expiresAt);
      checkSpec(body, owner.role, deps.clock.now());
      const { role, name, operations } = body;
      const { token, secret } = await tokens.create({
        name,
        role,
        operations,
        userId: owner.userId,
        owner: owner.user,
        groupScope: owner.groupScope,
        expiresAt,
      });
      return { ...tokenView(token), secret };
    },
    deleteToken: async ({ caller, params }: Call<{ readonly tokenId: string }>) => {
      const token = tokens.get(params.tokenId);
      if (token === undefined || !(caller.role === 'admin' || token.userId === caller.userId)) throw notFound('token');
      await tokens.remove(token.id);
    },
  };
}

const LONGEST_LIFE_MS = 366 * 86_400_000;

function checkSpec(spec: TokenSpec, own: Role, now: Date): void {
  const lifeMs = Date.parse(spec.expiresAt) - now.getTime();
  if (lifeMs <= 0 || lifeMs > LONGEST_LIFE_MS) throw refused('a token ends within the next 366 days', 'Give another expiresAt');
  if (!reaches(own, spec.role))
    throw new ServerError({ code: 'SERVER_FORBIDDEN', message: `a token of yours can be ${own} at most`, hint: 'Ask for a lesser role' });
  for (const id of spec.operations ?? []) {
    const operation = OPERATIONS.find((one) => one.id === id);
    const isPossible = operation !== undefined && operation.role !== 'public' && operation.personal !== true && reaches(spec.role, operation.role);
    if (!isPossible)
      throw refused(
        `a token of the role ${spec.role} cannot be for the operation ${JSON.stringify(id)}`,
        'The OpenAPI document lists all operations, and which role each needs',
      );
  }
}

function refused(message: string, hint: string): ServerError {
  return new ServerError({ code: 'SERVER_REQUEST_INVALID', message, hint });
}

function tokenView(token: ApiToken): z.input<typeof accessSchemas.token> {
  const { id, name, role, operations, owner, createdAt, expiresAt, lastUsedAt } = token;
  return {
    id,
    name,
    role,
    owner,
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    ...(operations && { operations: [...operations] }),
    ...(lastUsedAt && { lastUsedAt: lastUsedAt.toISOString() }),
  };
}

function known(caller: Call['caller']): AccessCaller {
  if (!(caller instanceof AccessCaller)) throw new TypeError('this operation was called for somebody whom the access part does not know');
  return caller;
}
