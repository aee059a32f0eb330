import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { printable } from '../../render/table.ts';
import { formatBytes, formatTime } from '../../render/units.ts';

export function infoCommand(run: RunCommand): Command {
  return new Command('info')
    .description('what was chosen when the repository was made; reads its config and nothing else')
    .action((_flags: object, sub: Command) => run(sub, runInfo));
}

async function runInfo({ compose, output, signal }: CommandContext): Promise<ExitCode> {
  await using repository = await compose.openRepository({ signal });
  const { config, location } = repository;
  const facts: readonly (readonly [string, string])[] = [
    ['REPOSITORY', config.id],
    ['LOCATION', location],
    ['FORMAT', `version ${config.formatVersion}`],
    ['CREATED', formatTime(config.created)],
    ['DIGEST', config.digest],
    ['BLOCKS', formatBytes(config.blockSizeBytes)],
    ['COMPRESSION', `${config.compression.codec}, level ${config.compression.level}`],
    ['ENCRYPTION', config.encryption?.cipher ?? 'none'],
  ];
  for (const [label, value] of facts) output.line(`${label.padEnd(11)}: ${printable(value)}`);
  output.document('repo.info', { location, config });
  return EXIT.ok;
}
