import type { CallOptions, Clock, Logger } from '@onevault/base';
import type { MasterKey } from '../crypto/master-key.ts';
import { isRepositoryError, RepositoryError } from '../errors.ts';
import { newTimeId, type RandomBytes } from '../format/ids.ts';
import type { RepositoryConfig } from '../repository-api.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { DEFAULT_SCRYPT_WORK, derivationFor, deriveSlotKey } from './key-derivation.ts';
import { encodeSlot, type KeySlot, slotKey, wrapMasterKey } from './key-slot.ts';
import type { KeySlotInfo, KeySlotSpec, ListedKeySlot, RepositoryKeys } from './keys-api.ts';
import { looksLikeRecoveryKey } from './recovery-key.ts';
import { checkNewSecret, type RepositorySecret, secretInvalid } from './secret.ts';
import { MAX_KEY_SLOTS, readSlots } from './slot-store.ts';
import type { Unlocked } from './unlock.ts';

export interface KeySlotDeps {
  readonly store: ObjectStore;
  readonly config: RepositoryConfig;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly logger: Logger;
}

/** Makes and writes a slot: durable when it resolves. */
export async function writeSlot(
  deps: Pick<KeySlotDeps, 'store' | 'config' | 'clock' | 'randomBytes'>,
  master: MasterKey,
  secret: RepositorySecret,
  spec: KeySlotSpec,
  options: CallOptions,
): Promise<KeySlot> {
  checkNewSecret(secret);
  if (secret.kind === 'passphrase' && looksLikeRecoveryKey(secret.passphrase.reveal())) throw secretInvalid('a passphrase cannot look like a recovery key');
  const { store, config, clock, randomBytes } = deps;
  const now = clock.now();
  const derivation = derivationFor(secret.kind, Buffer.from(randomBytes(32)).toString('hex'), spec.scrypt ?? DEFAULT_SCRYPT_WORK);
  const facts = {
    repositoryId: config.id,
    id: newTimeId(now, randomBytes),
    created: now.toISOString(),
    kind: secret.kind,
    label: spec.label ?? '',
    derivation,
  };
  const slot = wrapMasterKey(facts, await deriveSlotKey(secret, derivation), master.reveal());
  const written = await store.put(slotKey(slot.id), encodeSlot(slot), { ...options, ifAbsent: true });
  if (written === 'existed')
    throw new RepositoryError({ code: 'REPO_OBJECT_EXISTS', message: `there is a key slot ${slot.id} already`, details: { key: slotKey(slot.id) } });
  return slot;
}

/** The key slots of an open repository. Nothing but slots is ever written: a change of passphrase is as cheap for 100 TiB as for nothing. */
export class KeySlots implements RepositoryKeys {
  readonly #deps: KeySlotDeps;
  readonly #master: MasterKey;
  #current: string;

  constructor(deps: KeySlotDeps, unlocked: Unlocked) {
    this.#deps = deps;
    this.#master = unlocked.master;
    this.#current = unlocked.slotId;
  }

  async list(options: CallOptions = {}): Promise<readonly ListedKeySlot[]> {
    const found = await readSlots(this.#deps.store, this.#deps.config.id, options);
    return found.map((one) => (one.kind === 'slot' ? { kind: 'slot', slot: this.#info(one.slot) } : one));
  }

  async add(secret: RepositorySecret, spec: KeySlotSpec = {}, options: CallOptions = {}): Promise<KeySlotInfo> {
    const slots = await this.list(options);
    if (slots.length >= MAX_KEY_SLOTS)
      throw new RepositoryError({
        code: 'REPO_TOO_LARGE',
        message: `a repository has at most ${MAX_KEY_SLOTS} key slots`,
        hint: 'remove one that is not needed',
      });
    return this.#info(await writeSlot(this.#deps, this.#master, secret, spec, options));
  }

  /**
   * The last sound slot stays. Two callers who remove each other's slot at the same moment cannot leave none either: whoever finds no slot afterwards puts the
   * one it removed back.
   */
  async remove(id: string, options: CallOptions = {}): Promise<void> {
    const slots = await this.list(options);
    const target = this.#resolve(slots, id);
    const key = slotKey(target.kind === 'slot' ? target.slot.id : target.id);
    if (target.kind === 'damaged') return this.#deps.store.delete(key, options);
    if (slots.filter(({ kind }) => kind === 'slot').length < 2) throw lastSlot(target.slot.id);
    const { store } = this.#deps;
    const bytes = await this.#bytesOf(key, options);
    if (!bytes) return; // somebody else removed it
    await store.delete(key, options);
    // Without the caller's signal: an abort between the two must not leave the repository without a slot.
    const left = await readSlots(store, this.#deps.config.id, {});
    if (left.some(({ kind }) => kind === 'slot')) return;
    await store.put(key, bytes);
    throw lastSlot(target.slot.id);
  }

  async #bytesOf(key: string, options: CallOptions): Promise<Uint8Array | undefined> {
    try {
      return await this.#deps.store.get(key, options);
    } catch (error) {
      if (isRepositoryError(error, 'REPO_OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  /** First the new slot is durable, then the old one goes: a crash in between leaves both. */
  async replace(secret: RepositorySecret, spec: KeySlotSpec = {}, options: CallOptions = {}): Promise<KeySlotInfo> {
    const before = (await this.list(options)).find((one) => one.kind === 'slot' && one.slot.current);
    const label = before?.kind === 'slot' ? { label: before.slot.label } : {};
    const slot = await writeSlot(this.#deps, this.#master, secret, { ...label, ...spec }, options);
    const old = this.#current;
    this.#current = slot.id;
    if (before) await this.remove(old, options);
    return this.#info(slot);
  }

  #info({ id, kind, label, created }: KeySlot): KeySlotInfo {
    return { id, kind, label, created, current: id === this.#current };
  }

  #resolve(slots: readonly ListedKeySlot[], id: string): ListedKeySlot {
    const ids = slots.map((one) => (one.kind === 'slot' ? one.slot.id : one.id));
    const found = slots.filter((_, i) => id !== '' && (ids[i]?.startsWith(id) || ids[i]?.endsWith(id)));
    const [slot] = found;
    if (slot && found.length === 1) return slot;
    throw new RepositoryError({
      code: 'REPO_KEY_NOT_FOUND',
      message: slot ? `${id} is the beginning or the end of ${found.length} key slots` : `there is no key slot ${id}`,
      details: { candidates: ids.slice(0, 10) },
      hint: 'list the key slots to see their ids',
    });
  }
}

function lastSlot(id: string): RepositoryError {
  return new RepositoryError({
    code: 'REPO_KEY_LAST',
    message: `${id} is the only key slot: without it nobody could open the repository again`,
    details: { key: slotKey(id) },
    hint: 'add another one first',
  });
}
