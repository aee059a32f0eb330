import { type CallOptions, type Clock, type Logger, Secret, Semaphore } from '@onevault/base';
import { createOneClient, type HttpTransportOptions, isOneError, loginOf } from '@onevault/one-client';
import { ServerError } from '../errors.ts';

/** Somebody of whom OpenNebula says that they are who they say. */
export interface Verified {
  readonly userId: number;
  readonly user: string;
  readonly groupIds: readonly number[];
  /** They came with a token that is good for this group alone. */
  readonly groupScope: number | undefined;
  /** When that token ends. */
  readonly notAfter: Date | undefined;
}

export type VerifyCredentials = (user: string, password: string, options?: CallOptions) => Promise<Verified>;

export interface VerifierDeps {
  readonly endpoint: URL;
  readonly http?: HttpTransportOptions | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** oned has 15 connections for everybody; guesses must not take them all. */
const AT_ONCE = 3;
const WAITING = 60;
const CALL_TIMEOUT_MS = 10_000;

/**
 * Asks OpenNebula as that user (one.user.info -1): password or login token, whatever the user's authentication driver takes. Throws SERVER_SIGN_IN_FAILED, the same
 * for every reason; what the cloud throws when it does not answer; SERVER_BUSY when too many ask.
 */
export function credentialsVerifier(deps: VerifierDeps): VerifyCredentials {
  const places = new Semaphore(AT_ONCE);
  let asking = 0;
  return async (user, password, options = {}) => {
    if (asking >= AT_ONCE + WAITING) throw new ServerError({ code: 'SERVER_BUSY', message: 'too many sign in at the same time', retryable: true });
    asking++;
    try {
      using _place = await places.take(1, options);
      return await ask(deps, user, password, options);
    } finally {
      asking--;
    }
  };
}

async function ask(deps: VerifierDeps, name: string, password: string, options: CallOptions): Promise<Verified> {
  // A name with a colon would be a name and the beginning of another secret (server_cipher): that is not who signs in here.
  if (/[:\p{Cc}]/u.test(name)) throw signInFailed();
  const { endpoint, http, clock, logger } = deps;
  await using cloud = createOneClient({ endpoint, session: new Secret(`${name}:${password}`), http, clock, logger, callTimeoutMs: CALL_TIMEOUT_MS });
  const user = await cloud.whoAmI(options).catch((error: unknown) => {
    throw isOneError(error, 'ONE_AUTHENTICATION') || isOneError(error, 'ONE_ARGUMENT_INVALID') ? signInFailed() : error;
  });
  const token = loginOf(user).tokens.find((one) => one.token === password);
  const scope = token === undefined || token.groupId === -1 ? undefined : token.groupId;
  return {
    userId: user.id,
    user: user.name,
    groupIds: scope === undefined ? user.groupIds : [scope],
    groupScope: scope,
    notAfter: token === undefined || token.expiresAt === -1 ? undefined : new Date(token.expiresAt * 1000),
  };
}

export function signInFailed(): ServerError {
  return new ServerError({
    code: 'SERVER_SIGN_IN_FAILED',
    message: 'user or password are not right, or the user may not sign in here',
    hint: 'Use the user and password, or a login token, of OpenNebula; roles are given by an administrator of onevault',
  });
}
