import { execFile } from 'node:child_process';
import { Secret } from '@onevault/base';
import { z } from 'zod';
import { RepositoryError } from '../../errors.ts';
import type { S3CredentialSource, S3Credentials } from './s3-options.ts';

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 65_536;

/** What `credential_process` of the AWS tools prints: SessionToken and Expiration for credentials that end. */
const outputSchema = z.object({
  Version: z.literal(1).optional(),
  AccessKeyId: z.string().min(1),
  SecretAccessKey: z.string().min(1),
  SessionToken: z.string().min(1).optional(),
  Expiration: z.iso.datetime({ offset: true }).optional(),
});

/** Credentials from a command of the shell that prints JSON like an AWS `credential_process`; run when they are needed and again before they expire. */
export function credentialsFromCommand(command: string): S3CredentialSource {
  return async () => parseOutput(await run(command));
}

function run(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile('/bin/sh', ['-c', command], { timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout, stderr) => {
      if (error)
        reject(
          failed(`it ended with ${error.killed === true ? `a time-out after ${TIMEOUT_MS / 1000} s` : (error.code ?? error.signal ?? 'an error')}`, stderr),
        );
      else resolve(stdout);
    });
    child.stdin?.end();
  });
}

function parseOutput(stdout: string): S3Credentials {
  const parsed = outputSchema.safeParse(parseJson(stdout));
  // Neither the output nor what zod says of it is repeated: a secret may be in it.
  if (!parsed.success) throw failed(`its output lacks or misspells ${parsed.error.issues.map(({ path }) => path.join('.') || 'everything').join(', ')}`);
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = parsed.data;
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: new Secret(SecretAccessKey),
    ...(SessionToken !== undefined && { sessionToken: new Secret(SessionToken) }),
    ...(Expiration !== undefined && { expiration: new Date(Expiration) }),
  };
}

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

function failed(why: string, stderr = ''): RepositoryError {
  const said = stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
  return new RepositoryError({
    code: 'REPO_CREDENTIALS_INVALID',
    message: `the command that prints the S3 credentials failed: ${why}${said === '' ? '' : `; it said: ${said}`}`,
    hint: 'it must print {"Version":1,"AccessKeyId":"…","SecretAccessKey":"…"} and end with 0',
  });
}
