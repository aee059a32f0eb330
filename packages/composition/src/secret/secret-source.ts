import { resolve } from 'node:path';
import { Secret } from '@onevault/base';
import { settingError } from '../errors.ts';

/** Where a secret comes from; never from an argument, where every user of the machine could read it. */
export type SecretSource =
  | { readonly kind: 'value'; readonly passphrase: Secret }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'command'; readonly command: string }
  | { readonly kind: 'keyFile'; readonly path: string };

export interface SecretFlags {
  readonly passphraseFile?: string;
  readonly passphraseCommand?: string;
  readonly keyFile?: string;
}

interface Place {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** Flag before environment, where `prefix` is that of the variables. Two of the same rank are refused: which one opens would be a guess. */
export function resolveSecret(flags: SecretFlags, { env, cwd }: Place, prefix: 'ONEVAULT_' | 'ONEVAULT_NEW_' | 'ONEVAULT_TARGET_'): SecretSource | undefined {
  const option = prefix === 'ONEVAULT_' ? '--' : '--new-';
  const typed = only(sources(flags, cwd), [`${option}passphrase-file`, `${option}passphrase-command`, `${option}key-file`]);
  if (typed) return typed;
  const set = (name: string): string | undefined => env[`${prefix}${name}`] || undefined;
  const value = set('PASSPHRASE');
  const fromFlags = {
    ...defined('passphraseFile', set('PASSPHRASE_FILE')),
    ...defined('passphraseCommand', set('PASSPHRASE_COMMAND')),
    ...defined('keyFile', set('KEY_FILE')),
  };
  const found = sources(fromFlags, cwd);
  if (value !== undefined) found.unshift({ kind: 'value', passphrase: new Secret(value) });
  return only(
    found,
    ['PASSPHRASE', 'PASSPHRASE_FILE', 'PASSPHRASE_COMMAND', 'KEY_FILE'].map((name) => prefix + name),
  );
}

function sources({ passphraseFile, passphraseCommand, keyFile }: SecretFlags, cwd: string): SecretSource[] {
  const found: SecretSource[] = [];
  if (passphraseFile !== undefined) found.push({ kind: 'file', path: resolve(cwd, passphraseFile) });
  if (passphraseCommand !== undefined) found.push({ kind: 'command', command: passphraseCommand });
  if (keyFile !== undefined) found.push({ kind: 'keyFile', path: resolve(cwd, keyFile) });
  return found;
}

function only(found: readonly SecretSource[], names: readonly string[]): SecretSource | undefined {
  if (found.length > 1) throw settingError(`${names.join(', ')} exclude one another`, 'say which one opens the repository');
  return found[0];
}

function defined(name: keyof SecretFlags, value: string | undefined): SecretFlags {
  return value === undefined ? {} : { [name]: value };
}
