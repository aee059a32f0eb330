import { randomBytes } from 'node:crypto';
import { createRepository, type DigestAlgorithm, type RepositorySecret } from '@onevault/backup-format';
import { parseBytes } from '@onevault/composition';
import { Command, Option } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { formatBytes } from '../render/units.ts';
import { askNewSecret } from '../secret/ask-secret.ts';

export interface InitFlags {
  readonly encrypt?: boolean;
  readonly blockSize: string;
  readonly digest: DigestAlgorithm;
  readonly compressionLevel: string;
}

export function initCommand(run: RunCommand): Command {
  return new Command('init')
    .description('make a new repository; these choices can never be changed')
    .option('--block-size <size>', 'a power of two from 64KiB to 4MiB', '1MiB')
    .addOption(new Option('--digest <algorithm>', 'of every block').choices(['blake3', 'sha256']).default('blake3'))
    .option('--compression-level <level>', 'zstd, 1 (fast) to 12 (small)', '2')
    .option('--encrypt', 'with the passphrase or key file that is given, or asked for: without it nobody can read the repository')
    .action((flags: InitFlags, command: Command) => run(command, (context) => runInit(context, flags)));
}

export async function runInit(context: CommandContext, flags: InitFlags): Promise<ExitCode> {
  const { clock, logger, signal, output, compose } = context;
  const choices = { blockSizeBytes: parseBlockSize(flags.blockSize), digest: flags.digest, compressionLevel: parseLevel(flags.compressionLevel) };
  const encryption = flags.encrypt === true ? { encryption: { secret: await firstSecret(context) } } : {};
  await using repository = await createRepository(compose.openStore(), { ...choices, ...encryption }, { clock, randomBytes, logger }, { signal });
  const { config } = repository;
  output.line(
    `repository ${config.id} created at ${repository.location}: blocks of ${formatBytes(config.blockSizeBytes)}, ${config.digest}, zstd ${config.compression.level}${config.encryption ? ', encrypted' : ''}`,
  );
  if (config.encryption) output.note('print a recovery key and lock it away: onevault repo key add --recovery');
  output.document('repository.created', { location: repository.location, config });
  return EXIT.ok;
}

function parseBlockSize(text: string): number {
  const bytes = parseBytes(text);
  if (bytes === undefined || !Number.isInteger(Math.log2(bytes)) || bytes < 64 * 1024 || bytes > 4 * 1024 * 1024) {
    throw usageError(`a block size of '${text}'`, 'a power of two from 64KiB to 4MiB');
  }
  return bytes;
}

function parseLevel(text: string): number {
  const level = Number(text);
  if (!/^\d+$/.test(text) || level < 1 || level > 12) throw usageError(`a compression level of '${text}'`, 'a number from 1 to 12');
  return level;
}

/** From flags or environment, else typed twice. */
async function firstSecret({ compose, signal }: CommandContext): Promise<RepositorySecret> {
  const secret = (await compose.secret({ signal })) ?? (await askNewSecret(compose.ask, 'new passphrase', { signal }));
  if (secret?.kind === 'recovery')
    throw usageError('a recovery key opens a repository that exists; it does not make one', 'onevault repo key add --recovery makes one');
  if (secret) return secret;
  throw usageError('--encrypt needs a secret', 'set ONEVAULT_PASSPHRASE, or give --passphrase-file, --passphrase-command or --key-file');
}
