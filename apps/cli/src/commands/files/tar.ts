import type { TarReport } from '@onevault/guest-files';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { toNewFile, toStdout } from '../../files/byte-output.ts';
import { addLimitFlag, addPlaceFlags, type FilesFlags, pathOf } from '../../files/files-flags.ts';
import { openPlace } from '../../files/open-files.ts';
import { refusalsDocument, warnOfRefusals } from '../../files/refusals.ts';
import { remoteTar } from '../../remote/files.ts';
import { filesLine } from '../../render/summary-line.ts';

interface TarFlags extends FilesFlags {
  readonly output: string;
  readonly attributes?: boolean;
}

export function tarCommand(run: RunCommand): Command {
  return addLimitFlag(
    addPlaceFlags(
      new Command('tar')
        .argument('<point>', 'id, unique prefix of one, latest or latest~1')
        .argument('[path]', 'a directory', '/')
        .description('a directory with all below it as a tar archive, while it is read')
        .option('-o, --output <path>', 'a new file, or - for stdout', '-')
        .option('--attributes', 'extended attributes, ACLs, SELinux contexts and fractions of seconds, too (pax)'),
    ),
  ).action((point: string, path: string, flags: TarFlags, sub: Command) =>
    run(
      sub,
      (context) => tar(context, point, path, flags),
      (context) => remoteTar(context, point, path, flags),
    ),
  );
}

async function tar(context: CommandContext, text: string, typed: string, flags: TarFlags): Promise<ExitCode> {
  const { around, clock, output, signal } = context;
  const path = pathOf(typed, flags);
  const toFile = flags.output !== '-';
  if (!toFile && around.stdoutIsTerminal)
    throw usageError('stdout is a terminal: it would be filled with an archive', 'redirect it: > FILE or | PROGRAM, or name a file with --output');
  await using opened = await openPlace(context, text, flags);
  const startedMs = clock.monotonicMs();
  const archive = withReport(opened.files.tar(path, { attributes: flags.attributes ?? false, signal }));
  await (toFile ? toNewFile(context, archive.bytes, flags.output) : toStdout(context, archive.bytes));
  const report = archive.report();
  warnOfRefusals(output, report);
  const result = report.refusedCount > 0 ? 'partial' : 'ok';
  const durationMs = clock.monotonicMs() - startedMs;
  const line = filesLine({ action: 'tar', result, pointId: opened.point.id, ...report, durationMs });
  if (toFile) output.line(line);
  else output.note(line);
  output.document('files.tar', { result, pointId: opened.point.id, ...refusalsDocument(report), durationMs });
  return report.refusedCount > 0 ? EXIT.partial : EXIT.ok;
}

/** A generator's bytes for a pipe, and what it returned for us. */
function withReport(source: AsyncGenerator<Uint8Array, TarReport>): { readonly bytes: AsyncIterable<Uint8Array>; report(): TarReport } {
  let report: TarReport = { entries: 0, bytes: 0, refused: [], refusedCount: 0 };
  async function* bytes(): AsyncGenerator<Uint8Array> {
    report = yield* source;
  }
  return { bytes: bytes(), report: () => report };
}
