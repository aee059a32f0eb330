import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newRecoveryKey, type RepositorySecret } from '@onevault/backup-format';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSecret } from '../src/secret/read-secret.ts';
import { resolveSecret } from '../src/secret/secret-source.ts';
import { resolveSettings } from '../src/settings.ts';

const place = (env: Readonly<Record<string, string>> = {}) => ({ env, cwd: '/here' });

describe('where a secret comes from', () => {
  test('flag before environment; paths from where the command was typed; empty variables count as not set', () => {
    expect(resolveSecret({ keyFile: 'k' }, place({ ONEVAULT_PASSPHRASE: 'x' }), 'ONEVAULT_')).toEqual({ kind: 'keyFile', path: '/here/k' });
    expect(resolveSecret({}, place({ ONEVAULT_PASSPHRASE_FILE: 'p' }), 'ONEVAULT_')).toEqual({ kind: 'file', path: '/here/p' });
    expect(resolveSecret({}, place({ ONEVAULT_PASSPHRASE_COMMAND: 'pass show x' }), 'ONEVAULT_')).toEqual({ kind: 'command', command: 'pass show x' });
    expect(resolveSecret({}, place({ ONEVAULT_PASSPHRASE: '', ONEVAULT_KEY_FILE: '' }), 'ONEVAULT_')).toBeUndefined();
  });

  test('the new secret has variables of its own', () => {
    const env = { ONEVAULT_PASSPHRASE: 'old', ONEVAULT_NEW_KEY_FILE: '/new' };
    expect(resolveSecret({}, place(env), 'ONEVAULT_NEW_')).toEqual({ kind: 'keyFile', path: '/new' });
    expect(resolveSecret({}, place(env), 'ONEVAULT_')).toMatchObject({ kind: 'value' });
  });

  test('two of the same rank are refused, not chosen from', () => {
    for (const [flags, env] of [
      [{ keyFile: 'a', passphraseFile: 'b' }, {}],
      [{}, { ONEVAULT_PASSPHRASE: 'a', ONEVAULT_KEY_FILE: 'b' }],
    ] as const) {
      expect(() => resolveSecret(flags, place(env), 'ONEVAULT_')).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
    }
  });

  test('settings do not print a passphrase', () => {
    const settings = resolveSettings({}, { env: { HOME: '/h', ONEVAULT_PASSPHRASE: 'quite secret' }, cwd: '/', isRoot: false });
    expect(settings.secret).toMatchObject({ kind: 'value' });
    expect(JSON.stringify(settings.secret)).not.toContain('quite secret');
  });
});

describe('reading it', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ov-secret-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  const file = async (name: string, content: string | Uint8Array): Promise<string> => {
    await writeFile(join(dir, name), content);
    return join(dir, name);
  };

  function text(secret: RepositorySecret): string {
    return secret.kind === 'passphrase' ? secret.passphrase.reveal() : secret.kind;
  }

  test('one line break at the end is the editor’s; spaces and further lines are the passphrase’s', async () => {
    for (const [content, expected] of [
      ['pass word', 'pass word'],
      ['pass word\n', 'pass word'],
      ['pass word \r\n', 'pass word '],
      ['two\nlines\n\n', 'two\nlines\n'],
    ] as const) {
      expect(text(await readSecret({ kind: 'file', path: await file('p', content) }))).toBe(expected);
    }
  });

  test('the output of a command; one that fails or says nothing gives no secret, and what it printed is not repeated', async () => {
    expect(text(await readSecret({ kind: 'command', command: 'printf "from a %s\\n" command' }))).toBe('from a command');
    for (const command of ['true', 'echo hush-hush; echo locked >&2; exit 3', 'no-such-program-here']) {
      const error = await readSecret({ kind: 'command', command }).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code: 'CLI_SECRET_UNREADABLE' });
      expect(String(error)).not.toContain('hush-hush');
    }
  });

  test('a recovery key is known by its look, wherever it comes from', async () => {
    const recovery = newRecoveryKey((length) => new Uint8Array(length).fill(3)).reveal();
    expect(await readSecret({ kind: 'file', path: await file('r', `${recovery.toLowerCase()}\n`) })).toMatchObject({ kind: 'recovery' });
  });

  test('files that cannot be a secret are refused without reading all of them', async () => {
    for (const path of [join(dir, 'none'), dir, '/dev/zero']) {
      await expect(readSecret({ kind: 'file', path })).rejects.toMatchObject({ code: 'CLI_SECRET_UNREADABLE' });
    }
    await expect(readSecret({ kind: 'keyFile', path: await file('short', 'short') })).rejects.toMatchObject({ code: 'REPO_SECRET_INVALID' });
  });

  test('an abort ends a command that does not', async () => {
    const abort = new AbortController();
    const reading = readSecret({ kind: 'command', command: 'sleep 30' }, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
  });
});
