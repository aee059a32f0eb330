import { readFile, stat } from 'node:fs/promises';
import type { Server } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Clock, Logger } from '@onevault/base';
import { ServerError } from '../errors.ts';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

const LOOK_EVERY_MS = 30_000;

/** Throws SERVER_LISTEN_REFUSED for files that cannot be read, or are no certificate and its key. */
export async function readTlsFiles({ certFile, keyFile }: TlsFiles): Promise<TlsPair> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (cause) {
    throw unusable(certFile, keyFile, cause);
  }
}

function unusable(certFile: string, keyFile: string, cause: unknown): ServerError {
  return new ServerError({
    code: 'SERVER_LISTEN_REFUSED',
    message: `${certFile} and ${keyFile} are not a certificate and its key that can be used`,
    hint: 'Both are PEM files, readable for the server, the certificate with its chain first',
    cause,
  });
}

/** New connections get the new certificate; files that are not good leave the old one. Resolves with whether they were taken. */
export async function reloadTls(server: Server, files: TlsFiles, logger: Logger): Promise<boolean> {
  try {
    server.setSecureContext(await readTlsFiles(files));
    logger.info({ certFile: files.certFile }, 'the TLS certificate was read again');
    return true;
  } catch (error) {
    logger.error({ certFile: files.certFile, error: String(error) }, 'the TLS certificate cannot be used: the one before stays');
    return false;
  }
}

/** Looks at the files from time to time, until aborted: whoever renews certificates need not know of this server. */
export async function watchTls(
  server: Server,
  files: TlsFiles,
  deps: { readonly clock: Clock; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const { clock, logger, signal } = deps;
  let seen = await marks(files);
  while (!signal.aborted) {
    await clock.sleep(LOOK_EVERY_MS, { signal }).catch(() => undefined);
    const now = await marks(files);
    if (signal.aborted || now === seen || now === undefined) continue;
    seen = now;
    await reloadTls(server, files, logger);
  }
}

async function marks({ certFile, keyFile }: TlsFiles): Promise<string | undefined> {
  try {
    const both = await Promise.all([stat(certFile), stat(keyFile)]);
    return both.map(({ mtimeMs, ino, size }) => `${mtimeMs}/${ino}/${size}`).join(' ');
  } catch {
    return undefined;
  }
}
