import { hkdfSync } from 'node:crypto';
import { Secret } from '@onevault/base';
import { fromHex } from '../format/bytes.ts';

export const MASTER_KEY_BYTES = 32;

/** What each key is for. A label is never used for two things (docs/format.md section 17.2). */
const LABELS = { digest: 'digest', chunk: 'chunk', json: 'json', structure: 'structure', config: 'config' } as const;
export type KeyPurpose = keyof typeof LABELS;

/** The one secret of an encrypted repository, from which every key is derived. Holds it so that nothing prints it. */
export class MasterKey {
  readonly #bytes: Buffer;
  readonly #salt: Buffer;

  /** `repositoryId` is mixed into every key, so that a master key used twice by mistake does not let objects cross. */
  constructor(bytes: Uint8Array, repositoryId: string) {
    if (bytes.length !== MASTER_KEY_BYTES) throw new RangeError(`a master key has ${MASTER_KEY_BYTES} bytes`);
    this.#bytes = Buffer.from(bytes);
    this.#salt = fromHex(repositoryId);
  }

  /** HKDF-SHA-256 with the repository id as salt. */
  derive(purpose: KeyPurpose): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#bytes, this.#salt, `onevault 1 ${LABELS[purpose]}`, 32));
  }

  deriveSecret(purpose: KeyPurpose): Secret {
    return new Secret(this.derive(purpose).toString('hex'));
  }

  /** For wrapping it into a key slot, and for nothing else. */
  reveal(): Buffer {
    return Buffer.from(this.#bytes);
  }
}
