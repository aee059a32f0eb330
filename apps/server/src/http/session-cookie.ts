import type { FastifyRequest } from 'fastify';
import type { SessionAnswer } from '../access/session-answer.ts';
import { type HttpSettings, isLoopback } from './http-settings.ts';

export const SESSION_COOKIE = 'onevault_session';
export const OIDC_COOKIE = 'onevault_oidc';

export interface Cookie {
  readonly name: string;
  /** Undefined: take it away. */
  readonly value: string | undefined;
  readonly sameSite: 'Strict' | 'Lax';
  readonly path: string;
  readonly expiresAt?: Date;
}

/** The cookie of a session that has begun, or of none. */
export function sessionCookie(begun: SessionAnswer['begun'], request: FastifyRequest, settings: HttpSettings): string {
  return formatCookie(
    { name: SESSION_COOKIE, value: begun?.secret, sameSite: 'Strict', path: '/', ...(begun && { expiresAt: begun.expiresAt }) },
    request,
    settings,
  );
}

export function formatCookie(cookie: Cookie, request: FastifyRequest, settings: HttpSettings): string {
  const { name, value, sameSite, path, expiresAt } = cookie;
  const expires = value === undefined ? new Date(0) : expiresAt;
  return [
    `${name}=${value ?? ''}`,
    `Path=${path}`,
    'HttpOnly',
    `SameSite=${sameSite}`,
    ...(isSecure(request, settings) ? ['Secure'] : []),
    ...(expires ? [`Expires=${expires.toUTCString()}`] : []),
  ].join('; ');
}

/** Browsers keep a Secure cookie of a loopback address too; only what was declared insecure goes without. */
function isSecure(request: FastifyRequest, settings: HttpSettings): boolean {
  return request.protocol === 'https' || settings.publicUrl?.protocol === 'https:' || isLoopback(request.hostname);
}

/** The value of a cookie of ours: 43 characters of base64url and nothing else. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name && value !== undefined && /^[\w-]{43}$/.test(value)) return value;
  }
  return undefined;
}
