import { join, resolve } from 'node:path';
import { parseBytes } from '../byte-size.ts';
import { settingError } from '../errors.ts';

/** What a command may do to the line and to the disk beside the repository. */
export interface StoreTraffic {
  readonly uploadBytesPerSecond: number | undefined;
  readonly downloadBytesPerSecond: number | undefined;
  /** Where reads of a repository that is not a directory are cached, if they are. */
  readonly cache: { readonly path: string; readonly maxBytes: number } | undefined;
}

export const UNLIMITED: StoreTraffic = { uploadBytesPerSecond: undefined, downloadBytesPerSecond: undefined, cache: undefined };

export interface TrafficFlags {
  readonly limitUpload?: string;
  readonly limitDownload?: string;
  readonly cacheDir?: string;
  /** False with `--no-cache`. */
  readonly cache?: boolean;
}

interface Around {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly isRoot: boolean;
}

/** The index of a repository of 20 TiB fits. */
const DEFAULT_CACHE_SIZE = '2GiB';
/** Below this a shelf of the cache holds too little to be worth it. */
const MIN_CACHE_BYTES = 16 * 1024 * 1024;

/** Flag before environment before default. */
export function resolveTraffic(flags: TrafficFlags, around: Around): StoreTraffic {
  const { env } = around;
  return {
    uploadBytesPerSecond: parseRate(flags.limitUpload ?? set(env['ONEVAULT_LIMIT_UPLOAD']), '--limit-upload'),
    downloadBytesPerSecond: parseRate(flags.limitDownload ?? set(env['ONEVAULT_LIMIT_DOWNLOAD']), '--limit-download'),
    cache: flags.cache === false ? undefined : resolveCache(flags, around),
  };
}

function parseRate(text: string | undefined, flag: string): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseBytes(text.replace(/\/s$/, ''));
  if (bytes === undefined || bytes < 1) throw settingError(`${flag} is bytes a second, such as 50MiB: '${text}'`);
  return bytes;
}

function resolveCache(flags: TrafficFlags, around: Around): StoreTraffic['cache'] {
  const typed = flags.cacheDir ?? set(around.env['ONEVAULT_CACHE_DIR']);
  const path = typed === undefined ? defaultCacheDir(around) : resolve(around.cwd, typed);
  if (path === undefined) return undefined;
  const size = set(around.env['ONEVAULT_CACHE_SIZE']) ?? DEFAULT_CACHE_SIZE;
  const maxBytes = parseBytes(size);
  if (maxBytes === undefined || maxBytes < MIN_CACHE_BYTES) throw settingError(`ONEVAULT_CACHE_SIZE is a size of at least 16MiB, such as 2GiB: '${size}'`);
  return { path, maxBytes };
}

/** What is in it can be fetched again (XDG base directory specification: cache). Without a home there is no cache. */
function defaultCacheDir({ env, isRoot }: Around): string | undefined {
  const xdg = set(env['XDG_CACHE_HOME']);
  if (xdg !== undefined) return join(xdg, 'onevault');
  if (isRoot) return '/var/cache/onevault';
  const home = set(env['HOME']);
  return home === undefined ? undefined : join(home, '.cache/onevault');
}

/** An empty variable counts as not set. */
function set(value: string | undefined): string | undefined {
  return value === undefined || value === '' ? undefined : value;
}
