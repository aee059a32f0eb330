import { randomBytes } from 'node:crypto';
import { createRepository, type DigestAlgorithm } from '@onevault/backup-format';
import { Command, Option } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { formatBytes, parseBytes } from '../render/units.ts';

export interface InitFlags {
  readonly blockSize: string;
  readonly digest: DigestAlgorithm;
  readonly compressionLevel: string;
}

export function initCommand(run: RunCommand): Command {
  return new Command('init')
    .description('make a new repository; these three choices can never be changed')
    .option('--block-size <size>', 'a power of two from 64KiB to 4MiB', '1MiB')
    .addOption(new Option('--digest <algorithm>', 'of every block').choices(['blake3', 'sha256']).default('blake3'))
    .option('--compression-level <level>', 'zstd, 1 (fast) to 12 (small)', '2')
    .action((flags: InitFlags, command: Command) => run(command, (context) => runInit(context, flags)));
}

export async function runInit(context: CommandContext, flags: InitFlags): Promise<ExitCode> {
  const { clock, logger, signal, output, compose } = context;
  const choices = { blockSizeBytes: parseBlockSize(flags.blockSize), digest: flags.digest, compressionLevel: parseLevel(flags.compressionLevel) };
  await using repository = await createRepository(compose.openStore(), choices, { clock, randomBytes, logger }, { signal });
  const { config } = repository;
  output.line(
    `repository ${config.id} created at ${repository.location}: blocks of ${formatBytes(config.blockSizeBytes)}, ${config.digest}, zstd ${config.compression.level}`,
  );
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
