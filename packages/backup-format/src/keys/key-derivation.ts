import { hkdfSync, scrypt } from 'node:crypto';
import { z } from 'zod';
import { fromHex } from '../format/bytes.ts';
import { parseRecoveryKey } from './recovery-key.ts';
import { passphraseBytes, type RepositorySecret, type SecretKind } from './secret.ts';

/** How much work a guess at a passphrase costs (RFC 7914). */
export interface ScryptWork {
  /** log2 of N. */
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/** 128 MiB and about half a second. */
export const DEFAULT_SCRYPT_WORK: ScryptWork = { logN: 17, r: 8, p: 1 };
/** What a slot may ask for is bounded before it is done: nobody can make a reader use more than 1 GiB or a minute (docs/format.md section 17.7). */
const MAX_SCRYPT_BYTES = 1024 ** 3;

const salt = z.string().regex(/^[0-9a-f]{64}$/);

export const derivationSchema = z.discriminatedUnion('algorithm', [
  z
    .strictObject({ algorithm: z.literal('scrypt'), logN: z.int().min(14).max(20), r: z.int().min(1).max(32), p: z.int().min(1).max(16), salt })
    .refine(({ logN, r, p }) => 128 * 2 ** logN * r * p <= MAX_SCRYPT_BYTES, 'more work than the format allows'),
  z.strictObject({ algorithm: z.literal('hkdf-sha256'), salt }),
]);
export type Derivation = z.infer<typeof derivationSchema>;

export function derivationFor(kind: SecretKind, saltHex: string, work: ScryptWork): Derivation {
  return kind === 'passphrase' ? { algorithm: 'scrypt', ...work, salt: saltHex } : { algorithm: 'hkdf-sha256', salt: saltHex };
}

/** The key that wraps the master key in a slot. scrypt runs on libuv's thread pool. Throws REPO_SECRET_INVALID. */
export async function deriveSlotKey(secret: RepositorySecret, derivation: Derivation): Promise<Buffer> {
  const material = secretBytes(secret);
  const saltBytes = fromHex(derivation.salt);
  if (derivation.algorithm === 'hkdf-sha256') return Buffer.from(hkdfSync('sha256', material, saltBytes, 'onevault 1 key slot', 32));
  const { logN, r, p } = derivation;
  return new Promise((resolve, reject) => {
    scrypt(material, saltBytes, 32, { N: 2 ** logN, r, p, maxmem: 2 * MAX_SCRYPT_BYTES }, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

function secretBytes(secret: RepositorySecret): Buffer {
  switch (secret.kind) {
    case 'passphrase':
      return passphraseBytes(secret.passphrase);
    case 'keyFile':
      return Buffer.from(secret.base64.reveal(), 'base64');
    case 'recovery':
      return parseRecoveryKey(secret.text.reveal());
  }
}
