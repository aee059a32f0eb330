import { z } from 'zod';
import { RepositoryError } from '../errors.ts';
import type { RepositoryConfig } from '../repository-api.ts';
import { decodeEnvelope, encodeEnvelope, unsupportedVersion } from './envelope.ts';
import { HEX_ID, TIME } from './ids.ts';
import { FORMAT_VERSION, MAX_BLOCK_BYTES, MIN_BLOCK_BYTES } from './limits.ts';

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
  encryption: z.null(),
});

/** Throws RangeError for an init that breaks the limits. */
export function encodeConfig(config: RepositoryConfig): Buffer {
  const { id, formatVersion, digest, blockSizeBytes, compression, created } = config;
  const checked = configSchema.safeParse({ id, formatVersion, digest, blockSizeBytes, compression, created, encryption: null });
  if (!checked.success) throw new RangeError(`a repository cannot be made like this: ${z.prettifyError(checked.error)}`);
  return encodeEnvelope('config', checked.data);
}

export function decodeConfig(bytes: Uint8Array): RepositoryConfig {
  const body = decodeEnvelope('config', bytes);
  if (typeof body === 'object' && body !== null && 'encryption' in body && body.encryption !== null)
    throw unsupportedVersion('repository', FORMAT_VERSION, 'with encryption');
  const parsed = configSchema.safeParse(body);
  if (!parsed.success)
    throw new RepositoryError({ code: 'REPO_CONFIG_INVALID', message: `the config is not valid: ${z.prettifyError(parsed.error)}`, cause: parsed.error });
  const { encryption: _none, ...config } = parsed.data;
  return config;
}
