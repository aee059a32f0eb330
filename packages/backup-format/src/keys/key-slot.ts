import { createCipheriv, createDecipheriv } from 'node:crypto';
import { z } from 'zod';
import { RepositoryError } from '../errors.ts';
import { fromHex, toHex } from '../format/bytes.ts';
import { canonicalJson } from '../format/canonical-json.ts';
import { decodeEnvelope, encodeEnvelope } from '../format/envelope.ts';
import { HEX_ID, TIME, TIME_ID } from '../format/ids.ts';
import { FORMAT_VERSION } from '../format/limits.ts';
import type { Derivation } from './key-derivation.ts';
import { derivationSchema } from './key-derivation.ts';
import type { SecretKind } from './secret.ts';

export const KEYS_PREFIX = 'keys/';
const TAG_BYTES = 16;
/** A slot's key wraps one thing once, because every slot has a salt of its own: the nonce need not differ. */
const NONCE = Buffer.alloc(12);

const slotSchema = z
  .strictObject({
    formatVersion: z.literal(FORMAT_VERSION),
    repositoryId: z.string().regex(HEX_ID),
    id: z.string().regex(TIME_ID),
    created: z.string().regex(TIME),
    kind: z.enum(['passphrase', 'keyFile', 'recovery']),
    label: z.string().max(100),
    derivation: derivationSchema,
    /** The master key, 32 bytes, and a tag of 16. */
    wrapped: z.string().regex(/^[0-9a-f]{96}$/),
  })
  .refine(({ kind, derivation }) => (kind === 'passphrase') === (derivation.algorithm === 'scrypt'), 'a derivation that is not of its kind');

/** docs/format.md section 17.7: the master key, wrapped so that one secret opens it. */
export interface KeySlot {
  readonly repositoryId: string;
  readonly id: string;
  readonly created: string;
  readonly kind: SecretKind;
  /** For people, in the clear. */
  readonly label: string;
  readonly derivation: Derivation;
  readonly wrapped: string;
}

export type UnwrappedSlot = Omit<KeySlot, 'wrapped'>;

export function slotKey(id: string): string {
  return `${KEYS_PREFIX}${id}`;
}

export function parseSlotKey(key: string): string | undefined {
  const id = key.slice(KEYS_PREFIX.length);
  return TIME_ID.test(id) && key === slotKey(id) ? id : undefined;
}

/** Everything else in the slot is authenticated with it. */
export function wrapMasterKey(slot: UnwrappedSlot, slotSecret: Uint8Array, masterKey: Uint8Array): KeySlot {
  const cipher = createCipheriv('aes-256-gcm', slotSecret, NONCE);
  cipher.setAAD(slotFacts(slot));
  const ciphertext = Buffer.concat([cipher.update(masterKey), cipher.final()]);
  return { ...slot, wrapped: toHex(Buffer.concat([ciphertext, cipher.getAuthTag()])) };
}

/** Undefined when the secret is another one, or the slot was changed. */
export function unwrapMasterKey(slot: KeySlot, slotSecret: Uint8Array): Buffer | undefined {
  const { wrapped, ...facts } = slot;
  const bytes = fromHex(wrapped);
  const decipher = createDecipheriv('aes-256-gcm', slotSecret, NONCE, { authTagLength: TAG_BYTES });
  decipher.setAAD(slotFacts(facts));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const masterKey = decipher.update(bytes.subarray(0, -TAG_BYTES));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return masterKey;
}

function slotFacts(slot: UnwrappedSlot): Buffer {
  return Buffer.from(canonicalJson({ ...slot, formatVersion: FORMAT_VERSION }), 'utf8');
}

export function encodeSlot(slot: KeySlot): Buffer {
  return encodeEnvelope('key', slotSchema.parse({ ...slot, formatVersion: FORMAT_VERSION }));
}

/** Throws REPO_KEY_INVALID, also for a slot of another repository or in another place, or REPO_UNSUPPORTED_VERSION. */
export function decodeSlot(place: { readonly repositoryId: string; readonly id: string }, bytes: Uint8Array): KeySlot {
  const parsed = slotSchema.safeParse(decodeEnvelope('key', bytes));
  if (!parsed.success) throw invalid(`is not valid: ${z.prettifyError(parsed.error)}`, parsed.error);
  const { formatVersion: _version, ...slot } = parsed.data;
  if (slot.repositoryId !== place.repositoryId) throw invalid(`belongs to the repository ${slot.repositoryId}`);
  if (slot.id !== place.id) throw invalid(`is really ${slot.id}`);
  return slot;
}

function invalid(message: string, cause?: unknown): RepositoryError {
  return new RepositoryError({ code: 'REPO_KEY_INVALID', message: `the key slot ${message}`, cause });
}
