import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { toStdout } from '../../files/byte-output.ts';
import { addPlaceFlags, type FilesFlags, parseSize, pathOf } from '../../files/files-flags.ts';
import { openPlace } from '../../files/open-files.ts';
import { remoteCat } from '../../remote/files.ts';

interface CatFlags extends FilesFlags {
  readonly offset?: number;
  readonly length?: number;
}

export function catCommand(run: RunCommand): Command {
  return addPlaceFlags(
    new Command('cat')
      .argument('<point>', 'id, unique prefix of one, latest or latest~1')
      .argument('<path>', 'of a file; links are followed inside the guest')
      .description('the bytes of a file to stdout; on a terminal without control characters')
      .option('--offset <bytes>', 'where to begin', parseSize)
      .option('--length <bytes>', 'how much at most', parseSize),
  ).action((point: string, path: string, flags: CatFlags, sub: Command) =>
    run(
      sub,
      (context) => cat(context, point, path, flags),
      (context) => remoteCat(context, point, path, flags),
    ),
  );
}

async function cat(context: CommandContext, text: string, typed: string, flags: CatFlags): Promise<ExitCode> {
  const path = pathOf(typed, flags);
  await using opened = await openPlace(context, text, flags);
  const { offset, length } = flags;
  const range = { ...(offset !== undefined && { offset }), ...(length !== undefined && { length }) };
  await toStdout(context, opened.files.read(path, { ...range, signal: context.signal }));
  return EXIT.ok;
}
