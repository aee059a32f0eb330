import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '@onevault/base';
import { replaceDurably } from '@onevault/orchestrator';
import { z } from 'zod';
import { ServerError } from '../errors.ts';

const tokenRecord = z.strictObject({
  id: z.string(),
  name: z.string(),
  role: z.enum(['viewer', 'operator', 'admin']),
  operations: z.array(z.string()).optional(),
  userId: z.int(),
  owner: z.string(),
  groupScope: z.int().optional(),
  /** SHA-256 of the secret. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().optional(),
});
export type TokenRecord = z.output<typeof tokenRecord>;

const file = z.strictObject({ version: z.literal(1), tokens: z.array(tokenRecord) });

/** None where there is no file yet. Throws SERVER_STATE_UNUSABLE for one that cannot be read, or is not what was written there. */
export async function readTokenFile(path: string): Promise<readonly TokenRecord[]> {
  try {
    return file.parse(JSON.parse(await readFile(path, 'utf8'))).tokens;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw unusable('read', path, error);
  }
}

/** Whole and on stable storage when it resolves, or as it was before. */
export async function writeTokenFile(path: string, tokens: readonly TokenRecord[]): Promise<void> {
  try {
    await replaceDurably(dirname(path), path, `${JSON.stringify({ version: 1, tokens }, undefined, 2)}\n`);
  } catch (error) {
    throw unusable('write', path, error);
  }
}

function unusable(verb: string, path: string, cause: unknown): ServerError {
  return new ServerError({
    code: 'SERVER_STATE_UNUSABLE',
    message: `could not ${verb} the API tokens in ${path}`,
    hint:
      verb === 'read' ? 'Bring the file back from a backup, or move it away: then nobody has a token' : 'Give the state directory space and make it writable',
    cause,
  });
}
