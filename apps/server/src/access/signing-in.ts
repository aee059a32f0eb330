import type { Clock } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import { ServerError } from '../errors.ts';
import { addressKey } from '../http/rate-limit.ts';
import type { SettingsStore } from '../ports/settings-store.ts';
import { roleOf } from './roles.ts';
import type { Session, Sessions } from './sessions.ts';
import { type Attempt, SignInLimits } from './sign-in-limits.ts';
import { isAway } from './standings.ts';
import { signInFailed, type Verified, type VerifyCredentials } from './verify-credentials.ts';

export interface SigningInDeps {
  readonly verify: VerifyCredentials;
  readonly cloud: Pick<OneApi, 'users'>;
  readonly settings: Pick<SettingsStore, 'current'>;
  readonly sessions: Sessions;
  readonly clock: Clock;
}

export interface Begun {
  readonly secret: string;
  readonly session: Session;
}

/** Names that may be kept in the audit log are read again after so long. */
const NAMES_FRESH_MS = 60_000;

export class SigningIn {
  readonly #deps: SigningInDeps;
  readonly #limits: SignInLimits;
  readonly #lastSignIn = new Map<string, Date>();
  #names: { readonly names: ReadonlySet<string>; readonly atMs: number } | undefined;

  constructor(deps: SigningInDeps) {
    this.#deps = deps;
    this.#limits = new SignInLimits(deps.clock);
  }

  /** Throws SERVER_TOO_MANY_REQUESTS without asking OpenNebula, SERVER_SIGN_IN_FAILED, and what OpenNebula throws when it does not answer. */
  async withPassword({ user, address }: Attempt, password: string, signal: AbortSignal): Promise<Begun> {
    const attempt = { user, address: addressKey(address) };
    const waitMs = this.#limits.waitMs(attempt);
    if (waitMs > 0) throw tooManyFailures(waitMs);
    try {
      const begun = this.begin(await this.#deps.verify(attempt.user, password, { signal }));
      this.#limits.succeeded(attempt);
      return begun;
    } catch (error) {
      if (!isAway(error) && !signal.aborted) this.#limits.failed(attempt);
      throw error;
    }
  }

  /** For whoever was verified otherwise. */
  begin({ groupIds, notAfter, ...who }: Verified): Begun {
    const { role } = roleOf(this.#deps.settings.current(), { id: who.userId, name: who.user, groupIds });
    if (role === 'none') throw signInFailed();
    this.#lastSignIn.set(who.user, this.#deps.clock.now());
    return this.#deps.sessions.begin({ userId: who.userId, user: who.user, groupScope: who.groupScope, role, notAfter });
  }

  lastSignIn(user: string): Date | undefined {
    return this.#lastSignIn.get(user);
  }

  /** The name as it was typed, if there is such a user: people type passwords into the wrong field. */
  async printableName(typed: string): Promise<string> {
    const now = this.#deps.clock.monotonicMs();
    if (this.#names === undefined || now - this.#names.atMs > NAMES_FRESH_MS) {
      const users = await this.#deps.cloud.users().catch(() => []);
      this.#names = { names: new Set(users.map(({ name }) => name)), atMs: now };
    }
    return this.#names.names.has(typed) ? typed : 'unknown user';
  }
}

function tooManyFailures(waitMs: number): ServerError {
  const retryAfterS = Math.ceil(waitMs / 1000);
  return new ServerError({
    code: 'SERVER_TOO_MANY_REQUESTS',
    message: `too many sign-ins failed: wait ${retryAfterS} s`,
    details: { retryAfterS },
    hint: 'Other users, and the same user from elsewhere, can still sign in',
    retryable: true,
  });
}
