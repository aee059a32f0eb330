import { randomBytes as systemRandomBytes } from 'node:crypto';
import type { CallOptions } from '@onevault/base';
import { MASTER_KEY_BYTES, MasterKey } from './crypto/master-key.ts';
import { RepositoryError } from './errors.ts';
import { ENCRYPTION, encodeConfig } from './format/config.ts';
import { CONFIG_KEY, newHexId } from './format/ids.ts';
import { DEFAULT_BLOCK_BYTES, DEFAULT_COMPRESSION_LEVEL, FORMAT_VERSION } from './format/limits.ts';
import { configMac } from './keys/config-mac.ts';
import { parseSlotKey, slotKey } from './keys/key-slot.ts';
import { writeSlot } from './keys/key-slots.ts';
import type { KeySlotSpec } from './keys/keys-api.ts';
import type { RepositorySecret } from './keys/secret.ts';
import type { Unlocked } from './keys/unlock.ts';
import type { DigestAlgorithm, RepositoryConfig } from './repository-api.ts';
import type { RepositoryDeps } from './repository-deps.ts';
import type { ObjectStore } from './store/object-store.ts';

/** What is fixed for the life of a repository. */
export interface RepositoryInit {
  /** BLAKE3 unless SHA-256 is asked for. */
  readonly digest?: DigestAlgorithm;
  /** A power of two, 64 KiB to 4 MiB; 1 MiB by default. */
  readonly blockSizeBytes?: number;
  /** zstd level 1 to 12; 2 by default. */
  readonly compressionLevel?: number;
  /** Encrypts the repository; `secret` opens its first key slot. */
  readonly encryption?: KeySlotSpec & { readonly secret: RepositorySecret };
}

/**
 * Writes what makes an empty store a repository: the key slot, then the config, exclusively. A slot that a creation left behind which ended in between, or lost
 * to another one, belongs to no repository: it is passed over.
 */
export async function writeNewRepository(
  store: ObjectStore,
  init: RepositoryInit,
  deps: RepositoryDeps,
  options: CallOptions,
): Promise<{ readonly config: RepositoryConfig; readonly unlocked: Unlocked | undefined }> {
  const { encryption } = init;
  if (deps.secret && !encryption) throw new TypeError('a secret without encryption');
  const randomBytes = deps.randomBytes ?? systemRandomBytes;
  const plain: RepositoryConfig = {
    id: newHexId(randomBytes),
    formatVersion: FORMAT_VERSION,
    digest: init.digest ?? 'blake3',
    blockSizeBytes: init.blockSizeBytes ?? DEFAULT_BLOCK_BYTES,
    compression: { codec: 'zstd', level: init.compressionLevel ?? DEFAULT_COMPRESSION_LEVEL },
    created: deps.clock.now().toISOString(),
  };
  const master = encryption && new MasterKey(randomBytes(MASTER_KEY_BYTES), plain.id);
  const config = master ? { ...plain, encryption: { ...ENCRYPTION, mac: configMac(plain, master) } } : plain;
  const bytes = encodeConfig(config);
  await checkEmpty(store, options);
  const slot = master && encryption && (await writeSlot({ store, config, clock: deps.clock, randomBytes }, master, encryption.secret, encryption, options));
  if ((await store.put(CONFIG_KEY, bytes, { ...options, ifAbsent: true })) === 'existed') {
    if (slot) await store.delete(slotKey(slot.id), options);
    throw repositoryExists(store);
  }
  return { config, unlocked: master && slot && { master, slotId: slot.id } };
}

async function checkEmpty(store: ObjectStore, options: CallOptions): Promise<void> {
  if (await store.stat(CONFIG_KEY, options)) throw repositoryExists(store);
  for await (const { key } of store.list('', options)) {
    if (parseSlotKey(key) !== undefined) continue;
    throw new RepositoryError({
      code: 'REPO_NOT_EMPTY',
      message: `${store.location} holds ${key}, which is not a repository's`,
      details: { location: store.location, key },
      hint: 'name an empty directory for the repository, or one that does not exist yet',
    });
  }
}

function repositoryExists(store: ObjectStore): RepositoryError {
  return new RepositoryError({
    code: 'REPO_EXISTS',
    message: `there is a repository in ${store.location} already`,
    details: { location: store.location, key: CONFIG_KEY },
    hint: 'open it instead, or name another place',
  });
}
