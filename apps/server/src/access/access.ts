import type { Operation, Role } from '@onevault/api';
import type { AuditLog } from '@onevault/audit-log';
import type { Clock, Logger } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import { ServerError } from '../errors.ts';
import type { SettingsStore } from '../ports/settings-store.ts';
import { AccessCaller, type Identity } from './access-caller.ts';
import { ApiTokens } from './api-tokens.ts';
import type { OidcSignIn } from './oidc.ts';
import { lesser, roleOf } from './roles.ts';
import { Sessions } from './sessions.ts';
import { SigningIn } from './signing-in.ts';
import { type Standing, Standings } from './standings.ts';
import type { VerifyCredentials } from './verify-credentials.ts';

export interface AccessDeps {
  /** With the server's own credentials. */
  readonly cloud: Pick<OneApi, 'user' | 'users' | 'group' | 'groups' | 'aclRules' | 'datastore' | 'networks'>;
  readonly verify: VerifyCredentials;
  readonly settings: Pick<SettingsStore, 'current' | 'setRole' | 'onChange'>;
  readonly audit: AuditLog;
  readonly auditDirectory: string;
  readonly tokenPath: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly version: string;
  readonly oidc?: OidcSignIn | undefined;
  readonly sessionIdleMs?: number;
  readonly sessionLifeMs?: number;
}

/** What a request came with. */
export interface Credentials {
  readonly sessionSecret: string | undefined;
  readonly bearer: string | undefined;
}

/** Who may do what: sessions, tokens and roles on top of OpenNebula's own users and rights. */
export class Access implements Disposable {
  readonly deps: AccessDeps;
  readonly sessions: Sessions;
  readonly tokens: ApiTokens;
  readonly standings: Standings;
  readonly signingIn: SigningIn;
  readonly #watch: Disposable;

  private constructor(deps: AccessDeps, tokens: ApiTokens) {
    this.deps = deps;
    this.tokens = tokens;
    this.sessions = new Sessions({
      clock: deps.clock,
      randomBytes: deps.randomBytes,
      ...(deps.sessionIdleMs !== undefined && { idleMs: deps.sessionIdleMs }),
      ...(deps.sessionLifeMs !== undefined && { lifeMs: deps.sessionLifeMs }),
    });
    this.standings = new Standings(deps);
    this.signingIn = new SigningIn({ ...deps, sessions: this.sessions });
    let before = deps.settings.current();
    this.#watch = deps.settings.onChange((now) => {
      const { roles, defaultRole } = before;
      before = now;
      if (now.defaultRole !== defaultRole) this.sessions.endWhere(({ user }) => !Object.hasOwn(now.roles, user));
      this.sessions.endWhere(({ user }) => roles[user] !== now.roles[user]);
    });
  }

  static async open(deps: AccessDeps): Promise<Access> {
    const { tokenPath: path, clock, randomBytes } = deps;
    return new Access(deps, await ApiTokens.open({ path, clock, randomBytes }));
  }

  /** Who asks; throws SERVER_NOT_SIGNED_IN, the same for everything that is not, or no longer, good. A token comes before a cookie. */
  async authenticate(credentials: Credentials): Promise<AccessCaller> {
    const { sessionSecret, bearer } = credentials;
    const token = bearer === undefined ? undefined : this.tokens.find(bearer);
    const session = bearer === undefined && sessionSecret !== undefined ? this.sessions.find(sessionSecret) : undefined;
    if (token !== undefined) {
      void this.tokens
        .noteUse(token)
        .catch((error: unknown) => this.deps.logger.warn({ token: token.id, error: String(error) }, 'when a token was used could not be noted'));
      return this.#caller({ token, groupScope: token.groupScope }, token.userId);
    }
    if (session !== undefined) return this.#caller({ session, groupScope: session.groupScope }, session.userId);
    throw notSignedIn();
  }

  async #caller(identity: Identity, userId: number): Promise<AccessCaller> {
    const standing = await this.standings.of(userId);
    const { own, role } = this.#roles(identity, standing);
    if (identity.session !== undefined && identity.session.role !== own) this.sessions.end(identity.session);
    if (role === 'none' || identity.session?.ended.aborted === true) throw notSignedIn();
    return new AccessCaller(identity, role, standing);
  }

  #roles(identity: Identity, { user }: Standing): { readonly own: Role | 'none'; readonly role: Role | 'none' } {
    const groupIds = identity.groupScope === undefined ? user.groupIds : [identity.groupScope];
    const { role: own } = roleOf(this.deps.settings.current(), { ...user, groupIds });
    return { own, role: identity.token === undefined ? own : lesser(own, identity.token.role) };
  }

  /** For who stays long: their rights of now. Aborts what is over. Throws when they may not even be here any more, or not as what they came as. */
  async renew(caller: AccessCaller): Promise<void> {
    this.sessions.sweep();
    this.tokens.sweep();
    const standing = await this.standings.of(caller.userId);
    const { token, groupScope } = caller;
    if (this.#roles({ ...(token && { token }), groupScope }, standing).role !== caller.role) throw notSignedIn();
    caller.refresh(standing);
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
    this.sessions.endWhere(() => true);
  }
}

/** Whether a token is for this operation. */
export function isInScope(caller: AccessCaller, operation: Operation): boolean {
  const { token } = caller;
  return token === undefined || (operation.personal !== true && (token.operations?.includes(operation.id) ?? true));
}

export function notSignedIn(): ServerError {
  return new ServerError({
    code: 'SERVER_NOT_SIGNED_IN',
    message: 'this needs somebody who is signed in',
    hint: 'Sign in, or send `Authorization: Bearer` with an API token that has not expired',
  });
}
