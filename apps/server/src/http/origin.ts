import type { FastifyRequest } from 'fastify';
import { ServerError } from '../errors.ts';
import { type HttpSettings, isLoopback } from './http-settings.ts';

/**
 * A page of somebody else must not act with the cookie of a user: what a browser says about where a request comes from has to be this server. Programs say
 * nothing of that kind, and have no cookie either.
 */
export function checkOrigin(request: FastifyRequest, settings: HttpSettings): void {
  const { origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const own = settings.publicUrl?.origin ?? `${request.protocol}://${request.host}`;
  if (origin !== undefined ? origin !== own : site === 'cross-site' || site === 'same-site') throw foreign();
}

/** A server on loopback answers to loopback names only: a name of the web that somebody has pointed at 127.0.0.1 is not this server's (DNS rebinding). */
export function checkHost(request: FastifyRequest, settings: HttpSettings): void {
  const isOpen = settings.publicUrl !== undefined || settings.trustedProxies !== undefined || !isLoopback(settings.host);
  if (!isOpen && !isLoopback(request.hostname)) {
    throw new ServerError({
      code: 'SERVER_FORBIDDEN',
      message: 'this server answers only to localhost',
      hint: 'Give it the name under which it is reached with --public-url',
    });
  }
}

function foreign(): ServerError {
  return new ServerError({
    code: 'SERVER_CSRF',
    message: 'the request comes from another site',
    hint: 'Behind a reverse proxy, start the server with --public-url',
  });
}
