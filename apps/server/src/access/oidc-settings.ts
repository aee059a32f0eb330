import { readFile } from 'node:fs/promises';
import { Secret } from '@onevault/base';
import { ServerError } from '../errors.ts';
import type { OidcSettings } from './oidc.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * ONEVAULT_OIDC_ISSUER turns it on; with it ONEVAULT_OIDC_CLIENT_ID, and as they are needed _CLIENT_SECRET_FILE, _CLAIM, _SCOPES and _NAME. Undefined where it is off.
 * Throws SERVER_SETTINGS_INVALID.
 */
export async function readOidcSettings(env: Environment): Promise<OidcSettings | undefined> {
  const of = (name: string): string | undefined => env[`ONEVAULT_OIDC_${name}`] || undefined;
  const issuer = of('ISSUER');
  if (issuer === undefined) return undefined;
  const clientId = of('CLIENT_ID');
  if (clientId === undefined) throw invalid('ONEVAULT_OIDC_CLIENT_ID is missing');
  if (!URL.canParse(issuer) || !/^https?:/.test(issuer)) throw invalid('ONEVAULT_OIDC_ISSUER is no https URL');
  const secretFile = of('CLIENT_SECRET_FILE');
  return {
    issuer: new URL(issuer),
    clientId,
    clientSecret: secretFile === undefined ? undefined : await readSecretFile(secretFile),
    claim: of('CLAIM'),
    scopes: of('SCOPES'),
    name: of('NAME'),
  };
}

async function readSecretFile(path: string): Promise<Secret> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw invalid(`ONEVAULT_OIDC_CLIENT_SECRET_FILE cannot be read: ${path}`, cause);
  });
  if (text.trim() === '') throw invalid(`ONEVAULT_OIDC_CLIENT_SECRET_FILE is empty: ${path}`);
  return new Secret(text.trim());
}

function invalid(message: string, cause?: unknown): ServerError {
  return new ServerError({
    code: 'SERVER_SETTINGS_INVALID',
    message,
    hint: 'docs/operate/access.md says how signing in through an OpenID provider is set up',
    cause,
  });
}
