import { resolve } from 'node:path';
import { Secret } from '@onevault/base';
import { usageError } from '../errors.ts';

/** What the flags say about a server; every one may be absent. */
export interface ServerFlags {
  readonly server?: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
}

export type TokenSource = { readonly kind: 'value'; readonly token: Secret } | { readonly kind: 'file'; readonly path: string };

/** A onevault server that does the work, instead of this process. */
export interface ServerSettings {
  readonly url: URL;
  readonly token: TokenSource | undefined;
  /** Certificates in PEM that its certificate may be signed by, beside those of the system. */
  readonly caFile: string | undefined;
  /** What the settings of the server call the repository; undefined: the only one. */
  readonly repository: string | undefined;
}

interface Place {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Undefined where no server is named. A token never stands on the command line, where everybody on the machine reads it. */
export function resolveServer(flags: ServerFlags & { readonly repo?: string }, { env, cwd }: Place): ServerSettings | undefined {
  const text = flags.server ?? set(env['ONEVAULT_SERVER']);
  if (text === undefined) return undefined;
  const value = set(env['ONEVAULT_TOKEN']);
  const file = flags.tokenFile ?? set(env['ONEVAULT_TOKEN_FILE']);
  const caFile = flags.caFile ?? set(env['ONEVAULT_CA_FILE']);
  return {
    url: parseServer(text),
    token:
      flags.tokenFile === undefined && value !== undefined
        ? { kind: 'value', token: new Secret(value) }
        : file === undefined
          ? undefined
          : { kind: 'file', path: resolve(cwd, file) },
    caFile: caFile === undefined ? undefined : resolve(cwd, caFile),
    repository: repositoryName(flags.repo, set(env['ONEVAULT_REPO'])),
  };
}

function parseServer(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw usageError(`'${text}' is no address of a server`, 'such as https://backup.example:8443');
  if (url.username !== '' || url.password !== '')
    throw usageError('the address of the server holds credentials', 'give a token with ONEVAULT_TOKEN or --token-file');
  if (url.search !== '' || url.hash !== '')
    throw usageError(`'${url.origin}${url.pathname}' has something behind its path`, 'such as https://backup.example:8443/onevault');
  return url;
}

/** A place that ONEVAULT_REPO names is for when there is no server. */
function repositoryName(flag: string | undefined, fromEnvironment: string | undefined): string | undefined {
  if (flag !== undefined && !NAME.test(flag)) throw usageError(`a server knows repositories by name, and '${flag}' is none`, 'as in its settings: --repo main');
  return flag ?? (fromEnvironment !== undefined && NAME.test(fromEnvironment) ? fromEnvironment : undefined);
}

/** An empty variable counts as not set. */
function set(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
