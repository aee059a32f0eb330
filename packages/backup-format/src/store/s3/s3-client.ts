import { readFile } from 'node:fs/promises';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { rootCertificates } from 'node:tls';
import type { S3Client } from '@aws-sdk/client-s3';
import { errorCode } from '@onevault/base';
import { RepositoryError } from '../../errors.ts';
import type { S3StoreOptions } from './s3-options.ts';

export type S3Sdk = typeof import('@aws-sdk/client-s3');

/** Connections to one server; more calls than that wait for one to be free. */
const MAX_CONNECTIONS = 32;
const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;

/** The SDK, loaded when it is first needed: it takes as long to load as everything else together, and most commands run on a directory. */
export async function openS3Client(options: S3StoreOptions): Promise<{ readonly sdk: S3Sdk; readonly client: S3Client }> {
  const sdk = await import('@aws-sdk/client-s3');
  const { credentials, endpoint } = options;
  const ca = options.caFile === undefined ? undefined : [...rootCertificates, await readCertificates(options.caFile)];
  const agent = { keepAlive: true, maxSockets: MAX_CONNECTIONS };
  const client = new sdk.S3Client({
    region: options.region ?? 'us-east-1',
    ...(endpoint !== undefined && { endpoint }),
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
    ...(credentials && {
      credentials: async () => {
        const { secretAccessKey, sessionToken, ...rest } = await credentials();
        return { ...rest, secretAccessKey: secretAccessKey.reveal(), ...(sessionToken && { sessionToken: sessionToken.reveal() }) };
      },
    }),
    // Repeating is ours (base's retry, with an injected clock); two loops in one another would multiply.
    maxAttempts: 1,
    // Else a body of 2 MiB and more goes over a connection of its own, past our agent and the CA file in it.
    expectContinueHeader: false,
    // The newer checksums are what Ceph, MinIO and Garage of some years lack; Content-MD5, which we send, all of them enforce.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, ...(ca && { ca }) }),
    },
  });
  return { sdk, client };
}

async function readCertificates(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, cause: unknown): RepositoryError {
  return new RepositoryError({
    code: 'REPO_URL_INVALID',
    message: `the CA file ${path} cannot be read (${errorCode(cause) ?? 'unknown'})`,
    hint: 'name a PEM file that this user may read',
    cause,
  });
}
