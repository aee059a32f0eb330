import type { GuestEntry, GuestFiles } from '@onevault/guest-files';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { addPlaceFlags, pathOf } from '../../files/files-flags.ts';
import { openPlace } from '../../files/open-files.ts';
import { type LsFlags, showEntries } from '../../files/show-entries.ts';
import { remoteLs } from '../../remote/files.ts';

export function lsCommand(run: RunCommand): Command {
  return addPlaceFlags(
    new Command('ls')
      .argument('<point>', 'id, unique prefix of one, latest or latest~1')
      .argument('[path]', 'a directory, or a file by itself', '/')
      .description('what is in a directory, by the bytes of the names')
      .option('-R, --recursive', 'and in those below it; never through a link')
      .option('-0, --null', 'paths alone, as they are, each ended by a NUL'),
  ).action((point: string, path: string, flags: LsFlags, sub: Command) =>
    run(
      sub,
      (context) => list(context, point, path, flags),
      (context) => remoteLs(context, point, path, flags),
    ),
  );
}

async function list(context: CommandContext, text: string, typed: string, flags: LsFlags): Promise<ExitCode> {
  const path = pathOf(typed, flags);
  await using opened = await openPlace(context, text, flags);
  const entries = entriesOf(opened.files, path, flags, context.signal);
  await showEntries(context, { pointId: opened.point.id, path }, entries, flags);
  return EXIT.ok;
}

async function* entriesOf(files: GuestFiles, path: Buffer, flags: LsFlags, signal: AbortSignal): AsyncGenerator<GuestEntry> {
  const self = await files.stat(path, { signal, follow: true });
  if (self.facts !== undefined && self.facts.type !== 'directory') yield await files.stat(path, { signal });
  else if (flags.recursive === true) yield* files.walk(path, { signal });
  else yield* await files.list(path, { signal });
}
