import type { PointMarks, Repository } from '@onevault/backup-format';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { CliError, usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { remoteHold, remoteRelease, remoteTag } from '../../remote/marks.ts';
import { printable } from '../../render/table.ts';
import { formatTime } from '../../render/units.ts';
import { parseDate } from '../../select/date-argument.ts';

export interface HoldFlags {
  readonly reason: string;
  readonly until?: string;
  readonly by?: string;
}

export function holdCommand(run: RunCommand): Command {
  return new Command('hold')
    .argument('<point>', 'id or unique prefix of one')
    .requiredOption('--reason <text>', 'why it must stay: a ticket, a law')
    .option('--until <date>', 'the last instant it holds: 2027-01-01 (the end of that day in UTC) or 2027-01-01T06:00:00Z; default: until it is released')
    .option('--by <name>', 'who says so; default: user@host')
    .description('keep a restore point whatever retention or anyone says, until the hold is released or over')
    .action((point: string, flags: HoldFlags, sub: Command) =>
      run(
        sub,
        (context) => hold(context, point, flags),
        (context) => remoteHold(context, point, flags),
      ),
    );
}

async function hold({ compose, output, signal, around }: CommandContext, point: string, flags: HoldFlags): Promise<ExitCode> {
  const by = flags.by ?? `${around.env['USER'] || around.env['LOGNAME'] || 'unknown'}@${around.hostname ?? 'unknown'}`;
  const until = flags.until === undefined ? undefined : parseDate(flags.until, '--until').toISOString();
  if (flags.reason.trim() === '' || flags.reason.length > 500) throw usageError('the reason of a hold has 1 to 500 characters');
  if (by.length > 200) throw usageError('the name of who holds has at most 200 characters');
  await using repository = await compose.openRepository({ signal });
  const { id: pointId } = await repository.resolvePoint(point, { signal });
  const made = await repository.marks.hold(pointId, { reason: flags.reason, by, ...(until !== undefined && { until }) }, { signal });
  if (until !== undefined && Date.parse(until) < Date.parse(made.createdAt)) output.warn(`${formatTime(until)} is over already: this holds nothing`);
  output.line(`held ${pointId}: ${printable(made.reason)}${until === undefined ? '' : `, until ${formatTime(until)}`} (hold ${made.id.slice(0, 8)})`);
  output.document('point.hold', { pointId, hold: made });
  return EXIT.ok;
}

export function releaseCommand(run: RunCommand): Command {
  return new Command('release')
    .argument('<point>', 'id or unique prefix of one')
    .argument('[hold...]', 'ids of holds or unique prefixes of them; needed when there are several')
    .option('--all', 'every hold of it')
    .description('take a hold away, or a mark that cannot be read')
    .action((point: string, holds: readonly string[], flags: { readonly all?: boolean }, sub: Command) =>
      run(
        sub,
        (context) => release(context, point, holds, flags.all ?? false),
        (context) => remoteRelease(context, point, holds, flags.all ?? false),
      ),
    );
}

async function release({ compose, output, signal }: CommandContext, point: string, wanted: readonly string[], all: boolean): Promise<ExitCode> {
  if (all && wanted.length > 0) throw usageError('--all and single holds exclude each other');
  await using repository = await compose.openRepository({ signal });
  const pointId = await heldPoint(repository, point, signal);
  const known = await holdIds(repository, pointId, signal);
  const chosen = all ? known : wanted.length > 0 ? [...new Set(wanted.map((id) => chooseHold(id, known, pointId)))] : [onlyHold(known, pointId)];
  await repository.marks.release(pointId, chosen, { signal });
  output.line(`released ${pointId}: ${chosen.length === 1 ? 'hold' : 'holds'} ${chosen.map((id) => printable(id.slice(0, 8))).join(', ') || 'none'}`);
  output.document('point.release', { pointId, released: chosen });
  return EXIT.ok;
}

/** Holds can outlive a point whose manifest was lost: then its whole id names it. */
async function heldPoint(repository: Repository, point: string, signal: AbortSignal): Promise<string> {
  try {
    return (await repository.resolvePoint(point, { signal })).id;
  } catch (error) {
    for await (const { pointId } of repository.marks.list({ pointId: point }, { signal })) return pointId;
    throw error;
  }
}

async function holdIds(repository: Repository, pointId: string, signal: AbortSignal): Promise<string[]> {
  const found: PointMarks[] = [];
  for await (const marks of repository.marks.list({ pointId }, { signal })) found.push(marks);
  return found.flatMap(({ holds, damaged }) => [...holds, ...damaged].map(({ id }) => id));
}

function onlyHold(known: readonly string[], pointId: string): string {
  const [only, ...others] = known;
  if (only === undefined) throw holdNotFound(`the restore point ${pointId} is not held`, 'point list shows what is held');
  if (others.length > 0) throw usageError(`the restore point ${pointId} has ${known.length} holds`, `name one of ${shortIds(known)}, or say --all`);
  return only;
}

function chooseHold(text: string, known: readonly string[], pointId: string): string {
  const [only, ...others] = text === '' ? [] : known.filter((id) => id.startsWith(text));
  if (only === undefined) throw holdNotFound(`the restore point ${pointId} has no hold ${text}`, `it has ${shortIds(known) || 'none'}`);
  if (others.length > 0) throw usageError(`'${text}' is the beginning of several holds`, `they are ${known.join(', ')}`);
  return only;
}

function shortIds(ids: readonly string[]): string {
  return ids.map((id) => id.slice(0, 8)).join(', ');
}

function holdNotFound(message: string, hint: string): CliError {
  return new CliError({ code: 'CLI_HOLD_NOT_FOUND', message, hint });
}

const TAG = /^[A-Za-z0-9_][A-Za-z0-9._:@+-]{0,63}$/;

export function tagCommand(run: RunCommand): Command {
  return new Command('tag')
    .argument('<point>', 'id or unique prefix of one')
    .argument('<tag...>', 'up to 64 of A-Z a-z 0-9 . _ : @ + -')
    .option('--remove', 'take them away')
    .description('name a restore point for retention (--keep-tag) and for finding it')
    .action((point: string, tags: readonly string[], flags: { readonly remove?: boolean }, sub: Command) =>
      run(
        sub,
        (context) => tag(context, point, checked(tags), flags.remove ?? false),
        (context) => remoteTag(context, point, checked(tags), flags.remove ?? false),
      ),
    );
}

function checked(tags: readonly string[]): readonly string[] {
  for (const name of tags) if (!TAG.test(name)) throw usageError(`a tag '${name}'`, 'up to 64 of A-Z a-z 0-9 . _ : @ + -, the first a letter, digit or _');
  return tags;
}

async function tag({ compose, output, signal }: CommandContext, point: string, tags: readonly string[], remove: boolean): Promise<ExitCode> {
  await using repository = await compose.openRepository({ signal });
  const { id: pointId } = await repository.resolvePoint(point, { signal });
  if (remove) await repository.marks.untag(pointId, tags, { signal });
  else await repository.marks.tag(pointId, tags, { signal });
  const now: string[] = [];
  for await (const marks of repository.marks.list({ pointId }, { signal })) now.push(...marks.tags);
  output.line(`tags of ${pointId}: ${now.join(', ') || 'none'}`);
  output.document('point.tag', { pointId, tags: now });
  return EXIT.ok;
}
