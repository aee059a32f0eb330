import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createSecureContext, createServer, type TLSSocket } from 'node:tls';
import { type CallOptions, errorCode } from '@onevault/base';
import { ChannelGone } from './byte-channel.ts';
import { NbdError } from './errors.ts';

/** What TLS needs, in PEM. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Who signs the certificates of clients. */
  readonly ca?: Buffer;
}

export interface TlsSetup {
  readonly files: TlsFiles;
  /** Whether a client must show a certificate that the CA has signed. */
  readonly verifyClients: boolean;
}

/** Reads `server-cert.pem`, `server-key.pem` and, if there is one, `ca-cert.pem` of a directory: the names that QEMU and nbdkit use. */
export async function readTlsDirectory(directory: string, options: CallOptions = {}): Promise<TlsFiles> {
  const read = async (name: string): Promise<Buffer> => {
    const path = join(directory, name);
    try {
      return await readFile(path, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw invalid(`${path} cannot be read`, 'a TLS directory has server-cert.pem, server-key.pem and, to check clients, ca-cert.pem', error, path);
    }
  };
  const [cert, key] = [await read('server-cert.pem'), await read('server-key.pem')];
  try {
    return { cert, key, ca: await read('ca-cert.pem') };
  } catch (error) {
    if (error instanceof NbdError && errorCode(error.cause) === 'ENOENT') return { cert, key };
    throw error;
  }
}

/** Throws NBD_TLS_INVALID when the files do not fit one another, or clients are to be checked without a CA. */
export function tlsSetup(files: TlsFiles, verifyClients: boolean): TlsSetup {
  if (verifyClients && !files.ca) throw invalid('clients cannot be checked without the certificate of a CA', 'put ca-cert.pem into the TLS directory');
  try {
    createSecureContext(files);
  } catch (error) {
    throw invalid('certificate and key cannot be used', 'the key must belong to the certificate; both in PEM, without passphrase', error);
  }
  return { files, verifyClients };
}

/**
 * The server's side of TLS over a socket that both have agreed to upgrade. Resolves when the handshake is done, and the client's certificate is good if it must be.
 * A server of its own for each socket: only a server checks certificates, and only so does one know which connection is whose.
 */
export function secureSocket(socket: Socket, { files, verifyClients }: TlsSetup): Promise<TLSSocket> {
  const server = createServer({ ...files, minVersion: 'TLSv1.2', requestCert: verifyClients, rejectUnauthorized: verifyClients });
  return new Promise((resolve, reject) => {
    server.once('secureConnection', resolve);
    server.once('tlsClientError', (error) => reject(error));
    socket.once('close', () => reject(new ChannelGone('the connection ended during the handshake of TLS')));
    server.emit('connection', socket);
  });
}

function invalid(message: string, hint: string, cause?: unknown, path?: string): NbdError {
  return new NbdError({ code: 'NBD_TLS_INVALID', message, hint, cause, ...(path === undefined ? {} : { details: { path } }) });
}
