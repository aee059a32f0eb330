import { fileURLToPath } from 'node:url';
import { RepositoryError } from '../errors.ts';
import type { S3ObjectLock } from './s3/s3-options.ts';

/** Where a repository is, as a person names it. Never credentials: a URL is seen by everyone who sees the process list. */
export type StoreAddress = FileAddress | S3Address;

export interface FileAddress {
  readonly kind: 'file';
  readonly path: string;
}

export interface S3Address {
  readonly kind: 's3';
  readonly bucket: string;
  /** Parts joined by `/`; empty for the bucket itself. */
  readonly prefix: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly pathStyle?: boolean;
  readonly caFile?: string;
  readonly lock?: S3ObjectLock;
}

const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):/;
/** AWS allows less; Ceph has buckets from before these rules. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/;
const PREFIX_PART = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/;
const REGION = /^[A-Za-z0-9-]{1,64}$/;
const MAX_LOCK_DAYS = 36_500;
const EXAMPLE = 'for instance s3://bucket/prefix?endpoint=https://s3.example.org&region=eu-1';

/** A path as it is, `file:/path`, or `s3://bucket/prefix?endpoint=…&region=…&path-style=…&ca-file=…&lock-days=…&lock-mode=…`. Throws REPO_URL_INVALID. */
export function parseStoreUrl(text: string): StoreAddress {
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  if (text === '' || text.includes('\0')) throw invalid('a repository has no empty name');
  if (scheme === undefined) return { kind: 'file', path: text };
  if (scheme === 'file') return { kind: 'file', path: filePath(text) };
  if (scheme !== 's3' || !/^s3:\/\//i.test(text))
    throw invalid(`'${scheme}:' is no kind of repository here`, `a path (./${text} if that is its name), file:/path, or s3://bucket/prefix`);
  return s3Address(text);
}

/** The text that `parseStoreUrl` reads as this address. */
export function formatStoreUrl(address: StoreAddress): string {
  if (address.kind === 'file') return SCHEME.test(address.path) ? `./${address.path}` : address.path;
  const { bucket, prefix, endpoint, region, pathStyle, caFile, lock } = address;
  const parameters = Object.entries({
    endpoint,
    region,
    'path-style': pathStyle?.toString(),
    'ca-file': caFile,
    'lock-days': lock?.days.toString(),
    'lock-mode': lock?.mode,
  }).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${encodeURIComponent(value).replaceAll('%3A', ':').replaceAll('%2F', '/')}`]));
  return `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}${parameters.length === 0 ? '' : `?${parameters.join('&')}`}`;
}

function filePath(text: string): string {
  try {
    const path = fileURLToPath(text);
    if (path.includes('\0')) throw new TypeError('a path has no NUL');
    return path;
  } catch (error) {
    throw invalid(`'${text}' does not name a file of this machine`, 'file:/path/to/repository', error);
  }
}

function s3Address(text: string): S3Address {
  const [place = '', query = '', ...more] = text.slice('s3://'.length).split('?');
  if (more.length > 0 || text.includes('#')) throw invalid("a '?' or '#' inside a parameter is written as %3F or %23", EXAMPLE);
  const [bucket = '', ...parts] = place.replace(/\/$/, '').split('/');
  if (bucket.includes('@')) throw credentialsInside();
  if (!BUCKET.test(bucket)) throw invalid(`'${bucket}' is not the name of a bucket`, EXAMPLE);
  const bad = parts.find((part) => !PREFIX_PART.test(part));
  if (bad !== undefined) throw invalid(`'${bad}' cannot be a part of the prefix`, 'letters, digits, and . _ - after the first character');
  return { kind: 's3', bucket, prefix: parts.join('/'), ...s3Parameters(query) };
}

type S3Parameters = Omit<S3Address, 'kind' | 'bucket' | 'prefix'>;

function s3Parameters(query: string): S3Parameters {
  const given = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(query.replaceAll('+', '%2B'))) {
    if (!isParameter(name)) throw invalid(`'${name}' is not a parameter of an S3 repository`, secretHint(name) ?? `there are ${PARAMETERS.join(', ')}`);
    if (given.has(name)) throw invalid(`${name} is given twice`);
    given.set(name, value);
  }
  const endpoint = optional(given.get('endpoint'), endpointOf);
  const region = optional(given.get('region'), (value) => matching(value, REGION, 'a region'));
  const pathStyle = optional(given.get('path-style'), booleanOf);
  const caFile = optional(given.get('ca-file'), (value) => matching(value, /^[^\0]+$/, 'a file'));
  const lock = lockOf(given.get('lock-days'), given.get('lock-mode'));
  return {
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(pathStyle !== undefined && { pathStyle }),
    ...(caFile !== undefined && { caFile }),
    ...(lock && { lock }),
  };
}

const PARAMETERS = ['endpoint', 'region', 'path-style', 'ca-file', 'lock-days', 'lock-mode'] as const;

function isParameter(name: string): boolean {
  return PARAMETERS.some((known) => known === name);
}

function optional<T>(value: string | undefined, parse: (value: string) => T): T | undefined {
  return value === undefined ? undefined : parse(value);
}

function matching(value: string, pattern: RegExp, what: string): string {
  if (!pattern.test(value)) throw invalid(`'${value}' is not ${what}`);
  return value;
}

/** Scheme, host and port only: what else a URL can have would be lost on the way. */
function endpointOf(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw invalid(`'${value}' is not an endpoint`, 'http:// or https://, host and port');
  if (url.username !== '' || url.password !== '') throw credentialsInside();
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') throw invalid('an endpoint is scheme, host and port only', EXAMPLE);
  return url.origin;
}

function booleanOf(value: string): boolean {
  if (value !== 'true' && value !== 'false') throw invalid(`path-style is true or false, not '${value}'`);
  return value === 'true';
}

function lockOf(days: string | undefined, mode: string | undefined): S3ObjectLock | undefined {
  if (days === undefined && mode === undefined) return undefined;
  const count = Number(days);
  if (!/^[1-9][0-9]{0,5}$/.test(days ?? '') || count > MAX_LOCK_DAYS) throw invalid(`lock-days is a number from 1 to ${MAX_LOCK_DAYS}`);
  if (mode !== undefined && mode !== 'governance' && mode !== 'compliance') throw invalid(`lock-mode is governance or compliance, not '${mode}'`);
  return { days: count, mode: mode ?? 'governance' };
}

function secretHint(name: string): string | undefined {
  return /key|secret|token|password|credential|profile/i.test(name) ? CREDENTIALS_HINT : undefined;
}

const CREDENTIALS_HINT =
  'credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE and the shared files, or ONEVAULT_S3_CREDENTIALS_COMMAND, never from a URL: everyone on this machine can read the arguments of a process';

function credentialsInside(): RepositoryError {
  return invalid('credentials do not belong into the URL of a repository', CREDENTIALS_HINT);
}

function invalid(message: string, hint?: string, cause?: unknown): RepositoryError {
  return new RepositoryError({ code: 'REPO_URL_INVALID', message, ...(hint !== undefined && { hint }), ...(cause !== undefined && { cause }) });
}
