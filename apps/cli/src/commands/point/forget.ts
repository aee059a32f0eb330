import type { Repository } from '@onevault/backup-format';
import { isAbort, serializeError } from '@onevault/base';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { EXIT, type ExitCode, exitCodeOf } from '../../exit.ts';
import { remoteForget } from '../../remote/forget.ts';
import { printable } from '../../render/table.ts';

export interface ForgetFlags {
  readonly evenLast?: boolean;
  readonly dryRun?: boolean;
}

export function forgetCommand(run: RunCommand): Command {
  return new Command('forget')
    .argument('<point...>', 'ids or unique prefixes of them')
    .option('--even-last', 'also the last good restore point of a VM')
    .option('--dry-run', 'only say which restore points these are')
    .description('remove restore points; a held one stays, and repo gc gives the space back')
    .action((points: readonly string[], flags: ForgetFlags, sub: Command) =>
      run(
        sub,
        (context) => forget(context, points, flags),
        (context) => remoteForget(context, points, flags),
      ),
    );
}

interface Outcome {
  readonly pointId: string;
  readonly group: string;
  readonly error?: unknown;
}

async function forget({ compose, output, signal }: CommandContext, wanted: readonly string[], flags: ForgetFlags): Promise<ExitCode> {
  await using repository = await compose.openRepository({ signal });
  const places = await resolveAll(repository, wanted, signal);
  const outcomes: Outcome[] = [];
  for (const { group, id: pointId } of places) {
    const error = flags.dryRun ? undefined : await forgetOne(repository, pointId, flags, signal);
    outcomes.push({ pointId, group, ...(error !== undefined && { error }) });
    if (error === undefined) output.line(`${flags.dryRun ? 'would forget' : 'forgot'} ${pointId} of ${group}`);
    else output.warn(`kept ${pointId} of ${group}: ${printable(serializeError(error).message)}`);
  }
  output.document('point.forget', {
    dryRun: flags.dryRun ?? false,
    points: outcomes.map(({ pointId, group, error }) => ({ pointId, group, forgotten: error === undefined && !flags.dryRun, ...errorField(error) })),
  });
  return exitOf(outcomes);
}

function errorField(error: unknown): object {
  return error === undefined ? {} : { error: serializeError(error) };
}

/** All of them before the first is forgotten: a prefix that means two points must not come to mean one because the other is gone. */
async function resolveAll(repository: Repository, wanted: readonly string[], signal: AbortSignal): Promise<{ readonly group: string; readonly id: string }[]> {
  const places = new Map<string, { readonly group: string; readonly id: string }>();
  for (const text of wanted) {
    const place = await repository.resolvePoint(text, { signal });
    places.set(place.id, place);
  }
  return [...places.values()];
}

/** What keeps one point does not keep the others; what stops us stops us. */
async function forgetOne(repository: Repository, pointId: string, flags: ForgetFlags, signal: AbortSignal): Promise<unknown> {
  try {
    await repository.forgetPoint(pointId, { signal, ...(flags.evenLast && { evenLast: true }) });
    return undefined;
  } catch (error) {
    if (isAbort(error)) throw error;
    return error;
  }
}

function exitOf(outcomes: readonly Outcome[]): ExitCode {
  const failed = outcomes.filter(({ error }) => error !== undefined);
  if (failed.length === 0) return EXIT.ok;
  if (failed.length < outcomes.length) return EXIT.partial;
  const codes = new Set(failed.map(({ error }) => exitCodeOf(error)));
  const [only = EXIT.failed] = codes;
  return codes.size === 1 ? only : EXIT.failed;
}
