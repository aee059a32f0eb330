import type { Clock, Secret } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import * as client from 'openid-client';
import { hashSecret } from './hashed-secret.ts';
import { signInFailed, type Verified } from './verify-credentials.ts';

export interface OidcSettings {
  readonly issuer: URL;
  readonly clientId: string;
  readonly clientSecret?: Secret | undefined;
  /** The claim that is the name of the user in OpenNebula. Default `preferred_username`. */
  readonly claim?: string | undefined;
  readonly scopes?: string | undefined;
  /** On the button. Default: the issuer's host. */
  readonly name?: string | undefined;
}

export interface OidcDeps {
  readonly cloud: Pick<OneApi, 'users' | 'user'>;
  readonly clock: Clock;
  readonly randomBytes: (size: number) => Uint8Array;
}

interface Pending {
  readonly verifier: string;
  readonly state: string;
  readonly nonce: string;
  readonly redirectUri: string;
  readonly notAfterMs: number;
}

export const OIDC_PENDING_MS = 10 * 60_000;
const MAX_PENDING = 1_000;

/** Signing in through an OpenID provider: authorization code with PKCE. The user must be one of OpenNebula, of the name that a claim says. */
export class OidcSignIn {
  readonly name: string;
  readonly #settings: OidcSettings;
  readonly #deps: OidcDeps;
  readonly #pending = new Map<string, Pending>();
  #configuration: Promise<client.Configuration> | undefined;

  constructor(settings: OidcSettings, deps: OidcDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.name = settings.name ?? settings.issuer.host;
  }

  /** Where the browser goes, and what it keeps (a cookie) to prove on its return that it is the one that went. */
  async start(redirectUri: string): Promise<{ readonly location: URL; readonly secret: string }> {
    const configuration = await this.#configure();
    const verifier = client.randomPKCECodeVerifier();
    const pending: Pending = {
      verifier,
      state: client.randomState(),
      nonce: client.randomNonce(),
      redirectUri,
      notAfterMs: this.#deps.clock.monotonicMs() + OIDC_PENDING_MS,
    };
    const secret = Buffer.from(this.#deps.randomBytes(32)).toString('base64url');
    this.#pending.set(hashSecret(secret), pending);
    if (this.#pending.size > MAX_PENDING) this.#pending.delete(this.#pending.keys().next().value ?? '');
    const location = client.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: this.#settings.scopes ?? 'openid profile',
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state: pending.state,
      nonce: pending.nonce,
    });
    return { location, secret };
  }

  /** The provider's answer, as the browser brings it. Throws SERVER_SIGN_IN_FAILED for whatever is not right about it. */
  async finish(query: string, secret: string): Promise<Verified> {
    const id = hashSecret(secret);
    const pending = this.#pending.get(id);
    this.#pending.delete(id); // one answer, once
    if (pending === undefined || this.#deps.clock.monotonicMs() > pending.notAfterMs) throw signInFailed();
    const answer = new URL(pending.redirectUri);
    answer.search = query;
    const tokens = await client
      .authorizationCodeGrant(await this.#configure(), answer, {
        pkceCodeVerifier: pending.verifier,
        expectedState: pending.state,
        expectedNonce: pending.nonce,
        idTokenExpected: true,
      })
      .catch(() => undefined);
    const name = tokens?.claims()?.[this.#settings.claim ?? 'preferred_username'];
    if (typeof name !== 'string' || name === '') throw signInFailed();
    return this.#userNamed(name);
  }

  async #userNamed(name: string): Promise<Verified> {
    const named = (await this.#deps.cloud.users()).find((user) => user.name === name);
    if (named === undefined) throw signInFailed();
    const user = await this.#deps.cloud.user(named.id);
    return { userId: user.id, user: user.name, groupIds: user.groupIds, groupScope: undefined, notAfter: undefined };
  }

  /** Asked again when it failed: the provider may have been away. */
  async #configure(): Promise<client.Configuration> {
    const { issuer, clientId, clientSecret } = this.#settings;
    const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(issuer.hostname);
    this.#configuration ??= client.discovery(issuer, clientId, clientSecret?.reveal(), undefined, {
      timeout: 10,
      ...(issuer.protocol === 'http:' && isLoopback && { execute: [client.allowInsecureRequests] }),
    });
    try {
      return await this.#configuration;
    } catch (error) {
      this.#configuration = undefined;
      throw error;
    }
  }
}
