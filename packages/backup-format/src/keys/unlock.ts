import { type CallOptions, type Logger, serializeError, silentLogger } from '@onevault/base';
import { MasterKey } from '../crypto/master-key.ts';
import { RepositoryError } from '../errors.ts';
import { CONFIG_KEY } from '../format/ids.ts';
import type { RepositoryConfig } from '../repository-api.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { checkConfigMac } from './config-mac.ts';
import { deriveSlotKey } from './key-derivation.ts';
import { unwrapMasterKey } from './key-slot.ts';
import type { RepositorySecret } from './secret.ts';
import { type FoundSlot, MAX_KEY_SLOTS, readSlots } from './slot-store.ts';

/** The master key and the slot that gave it. */
export interface Unlocked {
  readonly master: MasterKey;
  readonly slotId: string;
}

/**
 * Opens the master key with the first slot that the secret fits, and checks the config with it. Undefined for a repository without encryption.
 * Throws REPO_NOT_ENCRYPTED, REPO_KEY_REQUIRED, REPO_KEY_REJECTED, REPO_KEY_INVALID, REPO_SECRET_INVALID, REPO_CONFIG_INVALID.
 */
export async function unlock(
  store: ObjectStore,
  config: RepositoryConfig,
  deps: { readonly secret?: RepositorySecret; readonly logger?: Logger },
  options: CallOptions,
): Promise<Unlocked | undefined> {
  const { secret, logger = silentLogger } = deps;
  const details = { location: store.location };
  if (!config.encryption) {
    if (!secret) return undefined;
    throw new RepositoryError({
      code: 'REPO_NOT_ENCRYPTED',
      message: `a secret was given for ${store.location}, but its config says that it is not encrypted`,
      details,
      hint: 'give no secret for it, unless it was encrypted once: then somebody has replaced its config and waits for data in the clear',
    });
  }
  if (!secret) {
    throw new RepositoryError({
      code: 'REPO_KEY_REQUIRED',
      message: `${store.location} is encrypted, and no passphrase, key file or recovery key was given`,
      details,
      hint: 'give the one that it was made with',
    });
  }
  let found = await readSlots(store, config.id, options);
  let unlocked = await tryAll(found, secret, logger, options);
  if (!unlocked) {
    // Whoever replaces a slot writes the new one before the old one goes: read meanwhile, both may have been missed.
    const before = idsOf(found);
    found = await readSlots(store, config.id, options);
    if (idsOf(found) !== before) unlocked = await tryAll(found, secret, logger, options);
  }
  if (!unlocked) throw rejected(store.location, found, secret);
  const master = new MasterKey(unlocked.masterKey, config.id);
  if (!checkConfigMac(config, master)) {
    throw new RepositoryError({
      code: 'REPO_CONFIG_INVALID',
      message: 'the config was changed by somebody without the key of the repository',
      details: { ...details, key: CONFIG_KEY },
      hint: 'bring it back from a copy; it never changes',
    });
  }
  return { master, slotId: unlocked.slotId };
}

function idsOf(found: readonly FoundSlot[]): string {
  return found.map((one) => (one.kind === 'slot' ? one.slot.id : one.id)).join();
}

async function tryAll(
  found: readonly FoundSlot[],
  secret: RepositorySecret,
  logger: Logger,
  options: CallOptions,
): Promise<{ readonly masterKey: Buffer; readonly slotId: string } | undefined> {
  let tried = 0;
  for (const one of found) {
    options.signal?.throwIfAborted();
    if (one.kind === 'damaged') {
      logger.warn({ slotId: one.id, error: serializeError(one.error) }, 'a key slot is damaged');
      continue;
    }
    if (one.slot.kind !== secret.kind || tried === MAX_KEY_SLOTS) continue;
    tried += 1;
    const masterKey = unwrapMasterKey(one.slot, await deriveSlotKey(secret, one.slot.derivation));
    if (masterKey) return { masterKey, slotId: one.slot.id };
  }
  return undefined;
}

const NAMES: Readonly<Record<RepositorySecret['kind'], string>> = { passphrase: 'passphrase', keyFile: 'key file', recovery: 'recovery key' };

function rejected(location: string, found: readonly FoundSlot[], secret: RepositorySecret): RepositoryError {
  const sound = found.filter((one) => one.kind === 'slot').length;
  const damaged = found.length - sound;
  if (sound === 0) {
    return new RepositoryError({
      code: 'REPO_KEY_INVALID',
      message: `${location} has no key slot that can be read${damaged > 0 ? `; ${damaged} are damaged` : ''}`,
      details: { location },
      hint: 'without a key slot nothing can be read: bring the objects under keys/ back from a copy',
    });
  }
  return new RepositoryError({
    code: 'REPO_KEY_REJECTED',
    message: `no key slot of ${location} opens with this ${NAMES[secret.kind]}`,
    details: { location },
    hint:
      damaged > 0
        ? `${damaged} of its key slots are damaged: another passphrase, key file or recovery key may still open it`
        : `check the ${NAMES[secret.kind]}, or use another one of the repository's`,
  });
}
