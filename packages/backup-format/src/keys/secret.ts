import { Secret } from '@onevault/base';
import { RepositoryError } from '../errors.ts';
import { asBuffer } from '../format/bytes.ts';

/** What a person or a machine opens an encrypted repository with; each kind opens the key slots of its kind. */
export type RepositorySecret =
  /** Chosen by people, or the output of a command: stretched by scrypt. */
  | { readonly kind: 'passphrase'; readonly passphrase: Secret }
  /** Random bytes, base64 here: nothing to stretch. See `keyFileSecret`. */
  | { readonly kind: 'keyFile'; readonly base64: Secret }
  /** As it was printed; case, spaces and hyphens do not matter. */
  | { readonly kind: 'recovery'; readonly text: Secret };

export type SecretKind = RepositorySecret['kind'];

const MIN_KEY_FILE_BYTES = 32;
const MAX_KEY_FILE_BYTES = 64 * 1024;
/** 32 random bytes have fewer different values with a chance of 10^-13; a file of zeros or a short word repeated has. */
const MIN_DIFFERENT_BYTES = 10;
const MIN_PASSPHRASE_CHARACTERS = 8;
const MAX_PASSPHRASE_BYTES = 4096;

/** The content of a key file as a secret. Throws REPO_SECRET_INVALID for what is too short or plainly not random. */
export function keyFileSecret(content: Uint8Array): RepositorySecret {
  const { length } = content;
  if (length < MIN_KEY_FILE_BYTES || length > MAX_KEY_FILE_BYTES || new Set(content).size < MIN_DIFFERENT_BYTES) {
    throw secretInvalid(
      `a key file holds ${MIN_KEY_FILE_BYTES} to ${MAX_KEY_FILE_BYTES} random bytes, and this one does not`,
      'make one: head -c 64 /dev/urandom > FILE',
    );
  }
  return { kind: 'keyFile', base64: new Secret(asBuffer(content).toString('base64')) };
}

/** What must hold for a passphrase before it may open anything; to open with one, anything not empty may be tried. */
export function checkNewSecret(secret: RepositorySecret): void {
  if (secret.kind !== 'passphrase') return;
  if ([...secret.passphrase.reveal()].length < MIN_PASSPHRASE_CHARACTERS)
    throw secretInvalid(`a passphrase has at least ${MIN_PASSPHRASE_CHARACTERS} characters`, 'four or more random words are easy to keep and hard to guess');
}

/** The bytes that keys are derived from. A passphrase is taken in Unicode's form C, so that it does not depend on the keyboard. */
export function passphraseBytes(passphrase: Secret): Buffer {
  const bytes = Buffer.from(passphrase.reveal().normalize('NFC'), 'utf8');
  if (bytes.length === 0 || bytes.length > MAX_PASSPHRASE_BYTES) throw secretInvalid(`a passphrase has 1 to ${MAX_PASSPHRASE_BYTES} bytes`);
  return bytes;
}

export function secretInvalid(message: string, hint?: string): RepositoryError {
  return new RepositoryError({ code: 'REPO_SECRET_INVALID', message, ...(hint !== undefined && { hint }) });
}
