import type { GuestEntry, GuestFiles } from '@onevault/guest-files';
import { escapeName } from '@onevault/guest-files';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { toStdout } from '../../files/byte-output.ts';
import { entryDocument, entryLine } from '../../files/entry-text.ts';
import { addPlaceFlags, type FilesFlags, pathOf } from '../../files/files-flags.ts';
import { type OpenFiles, openPlace } from '../../files/open-files.ts';
import { remoteLs } from '../../remote/files.ts';

interface LsFlags extends FilesFlags {
  readonly recursive?: boolean;
  readonly null?: boolean;
}

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
  if (flags.null === true) await toStdout(context, nullEnded(entries));
  else await show(context, opened, path, entries, flags);
  return EXIT.ok;
}

async function show({ output }: CommandContext, { point }: OpenFiles, path: Buffer, entries: AsyncIterable<GuestEntry>, flags: LsFlags): Promise<void> {
  const collected: object[] = [];
  let count = 0;
  for await (const entry of entries) {
    count++;
    if (output.mode === 'text') output.line(entryLine(entry, flags.recursive === true ? entry.path : entry.name));
    else if (output.mode === 'jsonl') output.document('files.entry', entryDocument(entry));
    else collected.push(entryDocument(entry));
  }
  const about = { pointId: point.id, path: escapeName(path), pathBase64: path.toString('base64'), count };
  output.document('files.ls', output.mode === 'json' ? { ...about, entries: collected } : about);
}

async function* entriesOf(files: GuestFiles, path: Buffer, flags: LsFlags, signal: AbortSignal): AsyncGenerator<GuestEntry> {
  const self = await files.stat(path, { signal, follow: true });
  if (self.facts !== undefined && self.facts.type !== 'directory') yield await files.stat(path, { signal });
  else if (flags.recursive === true) yield* files.walk(path, { signal });
  else yield* await files.list(path, { signal });
}

async function* nullEnded(entries: AsyncIterable<GuestEntry>): AsyncGenerator<Buffer> {
  for await (const { path } of entries) yield Buffer.concat([path, Buffer.alloc(1)]);
}
