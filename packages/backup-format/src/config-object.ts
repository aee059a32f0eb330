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
    if (isRepositoryError(error, 'REPO_TOO_LARGE', 'REPO_OBJECT_TRUNCATED')) throw new RepositoryError({ code: 'REPO_CONFIG_INVALID', message: `the config cannot be read: ${error.message}`, details: { key: CONFIG_KEY }, cause: error });
    if (!isRepositoryError(error, 'REPO_OBJECT_MISSING')) throw error;
    throw new RepositoryError({
      code: 'REPO_NOT_FOUND',
      message: `${store.location} is not a repository: it has no ${CONFIG_KEY}`,
      details: { location: store.location, key: CONFIG_KEY },
      hint: 'check the path, or create a repository there first',
      cause: error,
    });
  }
  return atPlace({ key: CONFIG_KEY, location: store.location }, () => decodeConfig(bytes));
}
