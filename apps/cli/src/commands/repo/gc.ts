import type { GcProgress } from '@onevault/backup-format';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { remoteGc } from '../../remote/gc.ts';
import { gcLines } from '../../render/gc-text.ts';
import { printable } from '../../render/table.ts';

export interface GcFlags {
  readonly dryRun?: boolean;
  readonly grace: string;
  readonly repackBelow: string;
  readonly wait: boolean;
}

export function gcCommand(run: RunCommand): Command {
  return new Command('gc')
    .description('give back the space that no restore point needs: packs are condemned first and deleted by a later run; safe beside running backups')
    .option('-n, --dry-run', 'say what would be done, write nothing')
    .option('--grace <time>', 'keep condemned packs this long: 90s, 30m, 24h, 2d', '24h')
    .option('--repack-below <percent>', 'rewrite packs of which less is needed', '50%')
    .option('--no-wait', 'do not wait until abandoned leases have surely expired')
    .action((flags: GcFlags, sub: Command) =>
      run(
        sub,
        (context) => runGc(context, flags),
        (context) => remoteGc(context, flags),
      ),
    );
}

async function runGc(context: CommandContext, flags: GcFlags): Promise<ExitCode> {
  const { compose, output, clock, signal } = context;
  const options = { dryRun: flags.dryRun ?? false, graceMs: parseGrace(flags.grace), repackBelow: parseShare(flags.repackBelow), wait: flags.wait };
  await using repository = await compose.openRepository({ signal });
  const startedMs = clock.monotonicMs();
  const report = await repository.collectGarbage({ ...options, signal, onProgress: noteOf(context) });
  const durationMs = clock.monotonicMs() - startedMs;
  for (const line of gcLines(report, durationMs)) output.line(printable(line));
  output.document('repo.gc', { ...report, durationMs });
  return EXIT.ok;
}

/** One note a phase: how far it is within one is of no use to anybody who waits. */
function noteOf({ output }: CommandContext): (progress: GcProgress) => void {
  let phase = '';
  return (progress) => {
    if (progress.phase !== phase) output.note(`gc ${progress.phase}`);
    phase = progress.phase;
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3600_000, d: 24 * 3600_000 };

export function parseGrace(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text.trim()) ?? (text.trim() === '0' ? ['', '0', 's'] : []);
  const unitMs = UNIT_MS[unit];
  if (unitMs === undefined) throw usageError(`the grace is '${text}'`, 'give a number with s, m, h or d: 24h');
  return Number(number) * unitMs;
}

export function parseShare(text: string): number {
  const percent = /^(\d{1,3})\s*%?$/.exec(text.trim())?.[1];
  if (percent === undefined || Number(percent) > 100) throw usageError(`the threshold of rewriting is '${text}'`, 'give a percentage from 0 to 100: 50%');
  return Number(percent) / 100;
}
