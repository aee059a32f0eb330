import { open } from 'node:fs/promises';
import { type CallOptions, Secret } from '@onevault/base';
import { CliError } from '../errors.ts';
import type { TokenSource } from './server-settings.ts';

const MAX_BYTES = 4096;
/** What group and others may. */
const OTHERS = 0o077;

/** Throws CLI_TOKEN_UNREADABLE, also for a file that others on this machine may read: whoever reads it is us. */
export async function readToken(source: TokenSource, { signal }: CallOptions): Promise<Secret> {
  if (source.kind === 'value') return checked(source.token.reveal(), 'ONEVAULT_TOKEN');
  const { path } = source;
  signal?.throwIfAborted();
  await using file = await open(path, 'r').catch((error: unknown) => {
    throw unreadable(
      `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      'write the token into it, for you alone: umask 077',
      error,
    );
  });
  const { mode } = await file.stat();
  if ((mode & OTHERS) !== 0)
    throw unreadable(`${path} may be read by others (mode ${(mode & 0o777).toString(8)})`, `chmod 600 ${path}; then make a new token, and end this one`);
  const buffer = Buffer.alloc(MAX_BYTES);
  const { bytesRead } = await file.read(buffer, 0, MAX_BYTES, 0);
  return checked(buffer.toString('utf8', 0, bytesRead), path);
}

/** As it goes into a header: printable ASCII without blanks. */
function checked(text: string, where: string): Secret {
  const token = text.trim();
  if (!/^[\x21-\x7e]{8,512}$/.test(token)) throw unreadable(`${where} holds no token`, 'onevault token create prints one');
  return new Secret(token);
}

function unreadable(message: string, hint: string, cause?: unknown): CliError {
  return new CliError({ code: 'CLI_TOKEN_UNREADABLE', message, hint, ...(cause !== undefined && { cause }) });
}
