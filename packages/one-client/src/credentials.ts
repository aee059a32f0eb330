import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { errorCode, Secret } from '@onevault/base';
import { OneError, type OneErrorCode } from './errors.ts';
import type { HttpTransportOptions } from './http-transport.ts';

/** Where a front-end keeps what its own commands use. */
const SYSTEM_DIRECTORY = '/var/lib/one/.one';
const DEFAULT_ENDPOINT = 'http://localhost:2633/RPC2';

export interface Connection {
  readonly endpoint: URL;
  readonly session: Secret;
  /** The user part of the session. */
  readonly userName: string;
  readonly http: HttpTransportOptions;
  /** ONE_XMLRPC_TIMEOUT, when set. */
  readonly callTimeoutMs: number | undefined;
  /** ONE_POOL_PAGE_SIZE, when set to 2 or more. */
  readonly pageSize: number | undefined;
  /** For "which credentials are these?": a file, `ONE_XMLRPC` or `default`. */
  readonly source: { readonly session: string; readonly endpoint: string };
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface FindOptions {
  readonly signal?: AbortSignal;
  /** Instead of /var/lib/one/.one. */
  readonly systemDirectory?: string;
}

/**
 * Endpoint, session and TLS trust, found as the `one*` commands find them (OpenNebula src/oca/ruby/opennebula/client.rb):
 * session: the file ONE_AUTH names, else ~/.one/one_auth, else /var/lib/one/.one/one_auth; endpoint: ONE_XMLRPC, else ~/.one/one_endpoint, else
 * /var/lib/one/.one/one_endpoint, else http://localhost:2633/RPC2; ONE_CERT_DIR adds trusted certificates, ONE_DISABLE_SSL_VERIFY trusts any.
 * As there, a variable that is empty, or an ONE_AUTH that names no file, counts as not set.
 * Throws ONE_CREDENTIALS_MISSING, ONE_CREDENTIALS_INVALID or, for an endpoint or certificate directory that cannot be used, ONE_ARGUMENT_INVALID.
 */
export async function findConnection(environment: Environment, options: FindOptions = {}): Promise<Connection> {
  const directories = [environment['HOME'] ? join(environment['HOME'], '.one') : undefined, options.systemDirectory ?? SYSTEM_DIRECTORY].filter(
    (one) => one !== undefined,
  );
  const session = await findSession(environment['ONE_AUTH'], directories, options.signal);
  const endpoint = await findEndpoint(environment['ONE_XMLRPC'], directories, options.signal);
  const pageSize = Number(environment['ONE_POOL_PAGE_SIZE']);
  const timeoutSeconds = Number(environment['ONE_XMLRPC_TIMEOUT']);
  return {
    endpoint: endpoint.url,
    session: session.secret,
    userName: session.userName,
    http: await tlsTrust(environment, options.signal),
    callTimeoutMs: timeoutSeconds > 0 ? timeoutSeconds * 1000 : undefined,
    pageSize: Number.isInteger(pageSize) && pageSize >= 2 ? pageSize : undefined,
    source: { session: session.file, endpoint: endpoint.source },
  };
}

interface FoundSession {
  readonly secret: Secret;
  readonly userName: string;
  readonly file: string;
}

async function findSession(named: string | undefined, directories: readonly string[], signal: AbortSignal | undefined): Promise<FoundSession> {
  const looked = [...(named ? [named] : []), ...directories.map((directory) => join(directory, 'one_auth'))];
  for (const file of looked) {
    const text = await readIfFile(file, 'ONE_CREDENTIALS_INVALID', signal);
    if (text !== undefined) return parseSession(text.trimEnd(), file);
  }
  throw new OneError('ONE_CREDENTIALS_MISSING', `no credentials for OpenNebula: looked at ${looked.join(', ')}`, { details: { looked } });
}

function parseSession(session: string, file: string): FoundSession {
  const colon = session.indexOf(':');
  const problem = sessionProblem(session, colon);
  if (problem !== undefined) throw new OneError('ONE_CREDENTIALS_INVALID', `the credentials in ${file} ${problem}`, { details: { looked: [file] } });
  return { secret: new Secret(session), userName: session.slice(0, colon), file };
}

/** Never quotes any of it: what stands before a missing colon may be the password. */
function sessionProblem(session: string, colon: number): string | undefined {
  if (session === '') return 'are empty';
  if (/[\r\n]/.test(session)) return 'are more than one line';
  if (colon < 0) return 'have no colon';
  if (colon === 0) return 'name no user';
  return colon === session.length - 1 ? 'hold no password or token' : undefined;
}

async function findEndpoint(
  named: string | undefined,
  directories: readonly string[],
  signal: AbortSignal | undefined,
): Promise<{ readonly url: URL; readonly source: string }> {
  if (named) return { url: parseEndpoint(named, 'ONE_XMLRPC'), source: 'ONE_XMLRPC' };
  for (const directory of directories) {
    const file = join(directory, 'one_endpoint');
    const text = (await readIfFile(file, 'ONE_ARGUMENT_INVALID', signal))?.trim();
    if (text) return { url: parseEndpoint(text, file), source: file };
  }
  return { url: new URL(DEFAULT_ENDPOINT), source: 'default' };
}

function parseEndpoint(text: string, source: string): URL {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new OneError('ONE_ARGUMENT_INVALID', `the endpoint in ${source} is not an http or https URL: ${JSON.stringify(text)}`, {
    details: { field: source, executed: 'no' },
    hint: `Write it like ${DEFAULT_ENDPOINT}`,
  });
}

async function tlsTrust(environment: Environment, signal: AbortSignal | undefined): Promise<HttpTransportOptions> {
  const directory = environment['ONE_CERT_DIR'];
  return {
    verifyTls: !environment['ONE_DISABLE_SSL_VERIFY'],
    ...(directory ? { ca: [...rootCertificates, ...(await readCertificates(directory, signal))] } : {}),
  };
}

async function readCertificates(directory: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
  try {
    const names = (await readdir(directory)).sort();
    const texts: string[] = [];
    for (const name of names) {
      const text = await readIfFile(join(directory, name), 'ONE_ARGUMENT_INVALID', signal);
      if (text?.includes('-----BEGIN CERTIFICATE-----')) texts.push(text);
    }
    return texts;
  } catch (error) {
    if (error instanceof OneError || signal?.aborted) throw error;
    throw unreadable(directory, 'ONE_ARGUMENT_INVALID', error, { field: 'ONE_CERT_DIR', hint: 'Set ONE_CERT_DIR to a directory of PEM files, or unset it' });
  }
}

/** The text of a file; undefined for a path where there is none. One that is there and cannot be read is an error, not a reason to look elsewhere. */
async function readIfFile(
  path: string,
  code: 'ONE_CREDENTIALS_INVALID' | 'ONE_ARGUMENT_INVALID',
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  try {
    if (!(await stat(path)).isFile()) return undefined;
    return await readFile(path, { encoding: 'utf8', ...(signal ? { signal } : {}) });
  } catch (error) {
    signal?.throwIfAborted();
    const missing = errorCode(error);
    if (missing === 'ENOENT' || missing === 'ENOTDIR') return undefined;
    throw unreadable(path, code, error);
  }
}

function unreadable(path: string, code: OneErrorCode, cause: unknown, facts: { readonly field?: string; readonly hint?: string } = {}): OneError {
  const { field, hint = 'Check who may read it' } = facts;
  return new OneError(code, `${path} cannot be read`, { details: { looked: [path], ...(field === undefined ? {} : { field }) }, hint, cause });
}
