import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Access } from '../access/access.ts';
import { OIDC_PENDING_MS, type OidcSignIn } from '../access/oidc.ts';
import { signInFailed } from '../access/verify-credentials.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { HttpSettings } from './http-settings.ts';
import { addressKey, type RateLimit } from './rate-limit.ts';
import { formatCookie, OIDC_COOKIE, readCookie, sessionCookie } from './session-cookie.ts';

export interface OidcRouteDeps {
  readonly access: Access;
  readonly oidc: OidcSignIn;
  readonly settings: HttpSettings;
  readonly trail: AuditTrail;
  /** Refusals that are written down, by address. */
  readonly unknown: RateLimit;
}

/** The two stations of a browser's way over the OpenID provider. Its cookie is Lax: the way back begins at another site. */
export function addOidcRoutes(app: FastifyInstance, { access, oidc, settings, trail, unknown }: OidcRouteDeps): void {
  const { clock } = access.deps;
  app.get('/oidc/start', async (request, reply) => {
    const { location, secret } = await oidc.start(callbackOf(request, settings));
    const expiresAt = new Date(clock.now().getTime() + OIDC_PENDING_MS);
    return reply
      .header('set-cookie', formatCookie({ name: OIDC_COOKIE, value: secret, sameSite: 'Lax', path: '/oidc', expiresAt }, request, settings))
      .header('cache-control', 'no-store')
      .redirect(location.href, 303);
  });
  app.get('/oidc/callback', async (request, reply) => {
    const note = (outcome: 'ok' | 'refused', name: string): Promise<void> =>
      trail.write({
        actor: { kind: outcome === 'ok' ? 'user' : 'anonymous', name, address: request.ip },
        action: 'signIn',
        object: 'oidc',
        outcome,
        details: { requestId: request.id },
      });
    const secret = readCookie(request.headers.cookie, OIDC_COOKIE);
    try {
      if (secret === undefined) throw signInFailed();
      const verified = await oidc.finish(request.url.slice(request.url.indexOf('?') + 1), secret);
      const begun = access.signingIn.begin(verified);
      await note('ok', verified.user);
      return reply
        .header('set-cookie', [
          sessionCookie({ secret: begun.secret, expiresAt: begun.session.expiresAt }, request, settings),
          formatCookie({ name: OIDC_COOKIE, value: undefined, sameSite: 'Lax', path: '/oidc' }, request, settings),
        ])
        .header('cache-control', 'no-store')
        .redirect('/', 303);
    } catch (error) {
      // How much is written down of whom nobody knows is not for them to choose.
      unknown.take(addressKey(request.ip));
      await note('refused', '');
      throw error;
    }
  });
}

function callbackOf(request: FastifyRequest, settings: HttpSettings): string {
  return new URL('/oidc/callback', settings.publicUrl ?? `${request.protocol}://${request.host}`).href;
}
