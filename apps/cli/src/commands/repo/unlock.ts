import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { printable } from '../../render/table.ts';
import { leaseText } from './lease-text.ts';

interface UnlockFlags {
  readonly force: readonly string[];
  readonly wait: boolean;
}

export function unlockCommand(run: RunCommand): Command {
  return new Command('unlock')
    .description(
      'list the leases of those at work and remove abandoned ones; watches silent ones, up to 12 minutes, until they show life or have surely expired',
    )
    .option('--force <id>', 'remove this lease though its holder may be alive: it will not commit (may be given again)', collect, [])
    .option('--no-wait', 'remove only what is known to have ended')
    .action((flags: UnlockFlags, sub: Command) => run(sub, (context) => runUnlock(context, flags)));
}

function collect(id: string, before: readonly string[]): string[] {
  return [...before, id];
}

async function runUnlock({ compose, output, signal }: CommandContext, { force, wait }: UnlockFlags): Promise<ExitCode> {
  await using repository = await compose.openRepository({ signal });
  const { removed, left } = await repository.unlock({ force, wait: wait && force.length === 0, signal });
  for (const lease of removed) output.line(printable(`removed: ${leaseText(lease)}`));
  for (const lease of left) output.line(printable(`held: ${leaseText(lease)}`));
  const missed = force.filter((prefix) => !removed.some(({ id }) => id.startsWith(prefix)));
  for (const id of missed) output.line(printable(`not found: ${id}`));
  output.line(`unlock result=${missed.length > 0 ? 'failed' : 'ok'} removed=${removed.length} held=${left.length}`);
  output.document('repo.unlock', { removed, left, missed });
  return missed.length > 0 ? EXIT.failed : EXIT.ok;
}
