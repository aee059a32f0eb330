import { randomBytes } from 'node:crypto';
import { type KeySlotInfo, newRecoveryKey, type RepositoryKeys, type RepositorySecret } from '@onevault/backup-format';
import { readSecret, resolveSecret } from '@onevault/composition';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { type Column, printable, renderTable } from '../../render/table.ts';
import { formatTime } from '../../render/units.ts';
import { askNewSecret } from '../../secret/ask-secret.ts';

interface KeyRow {
  readonly id: string;
  readonly kind: string;
  readonly created: string;
  readonly label: string;
}

const KEY_COLUMNS: readonly Column<KeyRow>[] = [
  { name: 'ID', value: ({ id }) => id },
  { name: 'KIND', value: ({ kind }) => kind },
  { name: 'CREATED', value: ({ created }) => created },
  { name: 'LABEL', value: ({ label }) => label },
];

export function keyCommand(run: RunCommand): Command {
  const command = new Command('key').description('what opens an encrypted repository: passphrases, key files, recovery keys');
  command
    .command('list')
    .description('the key slots; the one this command opened the repository with is marked')
    .action((_flags: object, sub: Command) => run(sub, runKeyList));
  newSecretOptions(command.command('add').description('let another secret open the repository; no data is rewritten'))
    .option('--recovery', 'make a recovery key and print it: to be kept on paper')
    .option('--label <text>', 'whose or what it is; stored in the clear', '')
    .action((flags: AddFlags, sub: Command) => run(sub, (context) => runKeyAdd(context, flags)));
  command
    .command('remove <id>')
    .description('a secret opens the repository no more; the last one stays')
    .action((id: string, _flags: object, sub: Command) => run(sub, (context) => runKeyRemove(context, id)));
  newSecretOptions(command.command('change').description('put a new secret in the place of the one that was given; no data is rewritten'))
    .option('--label <text>', 'a new label')
    .action((flags: ChangeFlags, sub: Command) => run(sub, (context) => runKeyChange(context, flags)));
  command
    .command('test')
    .description('open the repository with the secret that is given, for instance a recovery key, and say which slot it fits')
    .action((_flags: object, sub: Command) => run(sub, runKeyTest));
  return command;
}

interface NewSecretFlags {
  readonly newPassphraseFile?: string;
  readonly newPassphraseCommand?: string;
  readonly newKeyFile?: string;
}

interface AddFlags extends NewSecretFlags {
  readonly recovery?: boolean;
  readonly label: string;
}

interface ChangeFlags extends NewSecretFlags {
  readonly label?: string;
}

function newSecretOptions(command: Command): Command {
  return command
    .option('--new-passphrase-file <path>', 'the new passphrase (ONEVAULT_NEW_PASSPHRASE_FILE; ONEVAULT_NEW_PASSPHRASE is the passphrase itself)')
    .option('--new-passphrase-command <command>', 'prints the new passphrase (ONEVAULT_NEW_PASSPHRASE_COMMAND)')
    .option('--new-key-file <path>', 'random bytes instead of a passphrase (ONEVAULT_NEW_KEY_FILE)');
}

/** The secret to be added: by flag, environment, or typed twice. */
async function newSecret({ around, compose, signal }: CommandContext, flags: NewSecretFlags): Promise<RepositorySecret> {
  const { newPassphraseFile, newPassphraseCommand, newKeyFile } = flags;
  const chosen = {
    ...(newPassphraseFile !== undefined && { passphraseFile: newPassphraseFile }),
    ...(newPassphraseCommand !== undefined && { passphraseCommand: newPassphraseCommand }),
    ...(newKeyFile !== undefined && { keyFile: newKeyFile }),
  };
  const source = resolveSecret(chosen, around, 'ONEVAULT_NEW_');
  const secret = source ? await readSecret(source, { signal }) : await askNewSecret(compose.ask, 'new passphrase', { signal });
  if (secret) return secret;
  throw usageError(
    'no new secret is named',
    'set ONEVAULT_NEW_PASSPHRASE, or give --new-passphrase-file, --new-passphrase-command, --new-key-file or --recovery',
  );
}

async function withKeys(context: CommandContext, work: (keys: RepositoryKeys) => Promise<void>): Promise<ExitCode> {
  await using repository = await context.compose.openRepository({ signal: context.signal });
  if (!repository.keys)
    throw usageError(
      `${repository.location} is not encrypted: it has no keys`,
      'encryption is chosen when a repository is made; onevault repo copy brings restore points over',
    );
  await work(repository.keys);
  return EXIT.ok;
}

function runKeyList(context: CommandContext): Promise<ExitCode> {
  return withKeys(context, async (keys) => {
    const { output, signal } = context;
    const listed = await keys.list({ signal });
    const rows = listed.map((one) =>
      one.kind === 'slot'
        ? {
            id: one.slot.id,
            kind: one.slot.kind,
            created: formatTime(one.slot.created),
            label: one.slot.label + (one.slot.current ? ' (opened with this)' : ''),
          }
        : { id: one.id, kind: 'damaged', created: '', label: one.error.message },
    );
    for (const line of renderTable(KEY_COLUMNS, rows)) output.line(line);
    output.document('repo.keys', {
      keys: listed.map((one) => (one.kind === 'slot' ? one.slot : { id: one.id, damaged: one.error.message })),
    });
  });
}

function runKeyAdd(context: CommandContext, flags: AddFlags): Promise<ExitCode> {
  return withKeys(context, async (keys) => {
    const { output, signal } = context;
    const recovery = flags.recovery === true ? newRecoveryKey(randomBytes) : undefined;
    const secret: RepositorySecret = recovery ? { kind: 'recovery', text: recovery } : await newSecret(context, flags);
    const slot = await keys.add(secret, { label: flags.label }, { signal });
    if (recovery) {
      output.line(recovery.reveal());
      output.note('this is shown once: print it, and try it with onevault repo key test');
    }
    said(context, `added ${slot.kind} ${slot.id}`, 'repo.key.added', slot, recovery ? { recoveryKey: recovery.reveal() } : {});
  });
}

function runKeyRemove(context: CommandContext, id: string): Promise<ExitCode> {
  return withKeys(context, async (keys) => {
    await keys.remove(id, { signal: context.signal });
    context.output.line(`removed ${id}; a copy of its slot made before still opens the repository with its secret`);
    context.output.document('repo.key.removed', { id });
  });
}

function runKeyChange(context: CommandContext, flags: ChangeFlags): Promise<ExitCode> {
  return withKeys(context, async (keys) => {
    const secret = await newSecret(context, flags);
    const slot = await keys.replace(secret, flags.label === undefined ? {} : { label: flags.label }, { signal: context.signal });
    said(context, `changed; ${slot.kind} ${slot.id} opens the repository from now on`, 'repo.key.changed', slot);
  });
}

function runKeyTest(context: CommandContext): Promise<ExitCode> {
  return withKeys(context, async (keys) => {
    const slot = (await keys.list({ signal: context.signal })).flatMap((one) => (one.kind === 'slot' && one.slot.current ? [one.slot] : []))[0];
    if (!slot) throw usageError('the slot that opened the repository was removed at the same moment', 'try again');
    said(context, `opened with ${slot.kind} ${slot.id}${slot.label === '' ? '' : ` (${printable(slot.label)})`}`, 'repo.key.tested', slot);
  });
}

function said({ output }: CommandContext, text: string, type: string, slot: KeySlotInfo, more: object = {}): void {
  output.line(text);
  output.document(type, { key: slot, ...more });
}
