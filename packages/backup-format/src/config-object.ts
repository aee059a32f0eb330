import type { CallOptions } from '@onevault/base';
import { atPlace, isRepositoryError, RepositoryError } from './errors.ts';
import { decodeConfig } from './format/config.ts';
import { CONFIG_KEY } from './format/ids.ts';
import { MAX_JSON_BYTES } from './format/limits.ts';
import type { RepositoryConfig } from './repository-api.ts';
import type { ObjectStore } from './store/object-store.ts';
import { readWhole } from './store/read-whole.ts';

/** The repository's config object. Throws REPO_NOT_FOUND, REPO_PATH_INVALID, REPO_CONFIG_INVALID, REPO_UNSUPPORTED_VERSION. */
export async function readConfig(store: ObjectStore, options: CallOptions = {}): Promise<RepositoryConfig> {
  let bytes: Uint8Array;
  try {
    bytes = await readWhole(store, CONFIG_KEY, MAX_JSON_BYTES, options);
  } catch (error) {
    throw unreadable(store.location, error);
  }
  return atPlace({ key: CONFIG_KEY, location: store.location }, () => decodeConfig(bytes));
}

function unreadable(location: string, cause: unknown): unknown {
  const details = { key: CONFIG_KEY, location };
  if (isRepositoryError(cause, 'REPO_TOO_LARGE', 'REPO_OBJECT_TRUNCATED')) {
    return new RepositoryError({ code: 'REPO_CONFIG_INVALID', message: `the config cannot be read: ${cause.message}`, details, cause });
  }
  if (!isRepositoryError(cause, 'REPO_OBJECT_MISSING')) return cause;
  return new RepositoryError({
    code: 'REPO_NOT_FOUND',
    message: `${location} is not a repository: it has no ${CONFIG_KEY}`,
    details,
    hint: 'check the path, or create a repository there first',
    cause,
  });
}
