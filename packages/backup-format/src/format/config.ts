import { z } from 'zod';
import { RepositoryError } from '../errors.ts';
import type { RepositoryConfig } from '../repository-api.ts';
import { canonicalJson } from './canonical-json.ts';
import { decodeEnvelope, encodeEnvelope, unsupportedVersion } from './envelope.ts';
import { DIGEST_HEX, HEX_ID, TIME } from './ids.ts';
import { FORMAT_VERSION, MAX_BLOCK_BYTES, MIN_BLOCK_BYTES } from './limits.ts';

/** docs/format.md section 17.1. */
export const ENCRYPTION = { cipher: 'aes-256-gcm', kdf: 'hkdf-sha256' } as const;
const encryptionSchema = z.strictObject({ cipher: z.literal(ENCRYPTION.cipher), kdf: z.literal(ENCRYPTION.kdf), mac: z.string().regex(DIGEST_HEX) });

/** docs/format.md section 4.2. Levels above 12 are left out: zstd before 1.5.5 could corrupt data there. */
const configSchema = z.strictObject({
  formatVersion: z.literal(FORMAT_VERSION),
  id: z.string().regex(HEX_ID),
  created: z.string().regex(TIME),
  digest: z.enum(['blake3', 'sha256']),
  blockSizeBytes: z
    .int()
    .min(MIN_BLOCK_BYTES)
    .max(MAX_BLOCK_BYTES)
    .refine((size) => Number.isInteger(Math.log2(size)), 'not a power of two'),
  compression: z.strictObject({ codec: z.literal('zstd'), level: z.int().min(1).max(12) }),
  encryption: z.nullable(encryptionSchema),
});

/** Throws RangeError for an init that breaks the limits. */
export function encodeConfig(config: RepositoryConfig): Buffer {
  const { id, formatVersion, digest, blockSizeBytes, compression, created, encryption = null } = config;
  const checked = configSchema.safeParse({ id, formatVersion, digest, blockSizeBytes, compression, created, encryption });
  if (!checked.success) throw new RangeError(`a repository cannot be made like this: ${z.prettifyError(checked.error)}`);
  return encodeEnvelope('config', checked.data);
}

export function decodeConfig(bytes: Uint8Array): RepositoryConfig {
  const body = decodeEnvelope('config', bytes);
  if (hasUnknownEncryption(body)) throw unsupportedVersion('repository', FORMAT_VERSION, 'with an encryption that is not known');
  const parsed = configSchema.safeParse(body);
  if (!parsed.success)
    throw new RepositoryError({ code: 'REPO_CONFIG_INVALID', message: `the config is not valid: ${z.prettifyError(parsed.error)}`, cause: parsed.error });
  const { encryption, ...config } = parsed.data;
  return encryption ? { ...config, encryption } : config;
}

/** An encryption of another name is a newer onevault's; one of our name with another shape is damage. */
function hasUnknownEncryption(body: unknown): boolean {
  if (typeof body !== 'object' || body === null || !('encryption' in body) || body.encryption === null) return false;
  const { encryption } = body;
  const known = typeof encryption === 'object' && encryption !== null && 'cipher' in encryption && 'kdf' in encryption;
  return !known || encryption.cipher !== ENCRYPTION.cipher || encryption.kdf !== ENCRYPTION.kdf;
}

/** What the MAC of an encrypted repository's config is over: the body as canonical JSON without the MAC. */
export function configFacts(config: RepositoryConfig): Buffer {
  const { id, formatVersion, digest, blockSizeBytes, compression, created, encryption } = config;
  const { cipher, kdf } = encryption ?? ENCRYPTION;
  return Buffer.from(canonicalJson({ id, formatVersion, digest, blockSizeBytes, compression, created, encryption: { cipher, kdf } }), 'utf8');
}
