import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { keyFileSecret, looksLikeRecoveryKey, type RepositorySecret } from '@onevault/backup-format';
import { type CallOptions, Secret } from '@onevault/base';
import { CompositionError } from '../errors.ts';
import type { SecretSource } from './secret-source.ts';

/** More than any of them may have, so that a wrong path is not read into memory. */
const MAX_BYTES = 128 * 1024;
const COMMAND_TIMEOUT_MS = 60_000;

/** The secret that a source gives. Throws CLI_SECRET_UNREADABLE, REPO_SECRET_INVALID. */
export async function readSecret(source: SecretSource, options: CallOptions = {}): Promise<RepositorySecret> {
  switch (source.kind) {
    case 'value':
      return textSecret(source.passphrase.reveal());
    case 'file':
      return textSecret((await readFile(source.path, options)).toString('utf8'));
    case 'command':
      return textSecret(await run(source.command, options));
    case 'keyFile':
      return keyFileSecret(await readFile(source.path, options));
  }
}

/** One line break at the end belongs to the editor or to `echo`. What looks like a recovery key is one, wherever it comes from. */
export function textSecret(text: string): RepositorySecret {
  const passphrase = text.replace(/\r?\n$/, '');
  return looksLikeRecoveryKey(passphrase) ? { kind: 'recovery', text: new Secret(passphrase) } : { kind: 'passphrase', passphrase: new Secret(passphrase) };
}

async function readFile(path: string, { signal }: CallOptions): Promise<Buffer> {
  try {
    await using file = await open(path, 'r');
    const buffer = Buffer.alloc(MAX_BYTES);
    let length = 0;
    for (;;) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(buffer, length, MAX_BYTES - length, null);
      if (bytesRead === 0) return Buffer.from(buffer.subarray(0, length));
      length += bytesRead;
      if (length === MAX_BYTES) throw unreadable(`${path} is too long for a secret`);
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof CompositionError) throw error;
    throw unreadable(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}

/** Run by the shell without input; what it says on stderr is passed on when it fails, its output never. */
async function run(command: string, { signal }: CallOptions): Promise<string> {
  const text = await new Promise<string>((resolve, reject) => {
    const limits = { timeout: COMMAND_TIMEOUT_MS, maxBuffer: MAX_BYTES, ...(signal && { signal }) };
    const child = execFile('/bin/sh', ['-c', command], limits, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      if (signal?.aborted) return reject(signal.reason);
      const why = error.killed === true ? `it took longer than ${COMMAND_TIMEOUT_MS / 1000} s` : `it ended with ${error.code ?? error.signal ?? 'an error'}`;
      reject(unreadable(`the passphrase command gave nothing: ${[why, stderr.trim().split('\n').at(-1)].filter(Boolean).join(': ')}`));
    });
    child.stdin?.end();
  });
  if (text.trim() === '') throw unreadable('the passphrase command printed nothing');
  return text;
}

function unreadable(message: string, cause?: unknown): CompositionError {
  return new CompositionError({
    code: 'CLI_SECRET_UNREADABLE',
    message,
    hint: 'see that it is there, and that the user that this runs as may read it',
    ...(cause !== undefined && { cause }),
  });
}
