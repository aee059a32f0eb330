import { resolve } from 'node:path';
import type { ExtractReport } from '@onevault/guest-files';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../../command-context.ts';
import { usageError } from '../../errors.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { addLimitFlag, addPlaceFlags, type FilesFlags, pathOf } from '../../files/files-flags.ts';
import { openPlace } from '../../files/open-files.ts';
import { refusalsDocument, sumOf, warnOfRefusals } from '../../files/refusals.ts';
import { filesLine } from '../../render/summary-line.ts';

interface ExtractFlags extends FilesFlags {
  readonly to: string;
  readonly owner?: boolean;
  readonly setId?: boolean;
}

export function extractCommand(run: RunCommand): Command {
  return addLimitFlag(
    addPlaceFlags(
      new Command('extract')
        .argument('<point>', 'id, unique prefix of one, latest or latest~1')
        .argument('<path...>', 'files, and directories with all below them; each comes under its own name')
        .description('write files into a directory here; nothing that is there is overwritten, nothing leads out of it')
        .requiredOption('--to <dir>', 'made when there is none')
        .option('--owner', 'owners and groups as in the guest, by number; needs root')
        .option('--set-id', 'set-user-id and set-group-id bits, too'),
    ),
  ).action((point: string, paths: string[], flags: ExtractFlags, sub: Command) => run(sub, (context) => extract(context, point, paths, flags)));
}

async function extract(context: CommandContext, text: string, typed: readonly string[], flags: ExtractFlags): Promise<ExitCode> {
  const { around, clock, output, signal } = context;
  if (flags.owner === true && !around.isRoot) throw usageError('--owner needs root', 'without it the files are yours');
  const paths = typed.map((path) => pathOf(path, flags));
  const target = resolve(around.cwd, flags.to);
  await using opened = await openPlace(context, text, flags);
  const startedMs = clock.monotonicMs();
  const reports: ExtractReport[] = [];
  for (const path of paths) {
    const choice = { ownership: flags.owner ?? false, setId: flags.setId ?? false };
    reports.push(await opened.files.extract(path, { target, ...choice, signal }));
  }
  const sum = sumOf(reports);
  warnOfRefusals(output, sum);
  const result = sum.refusedCount > 0 ? 'partial' : 'ok';
  const durationMs = clock.monotonicMs() - startedMs;
  output.line(filesLine({ action: 'extract', result, pointId: opened.point.id, ...sum, durationMs }));
  output.document('files.extract', { result, pointId: opened.point.id, target, ...refusalsDocument(sum), durationMs });
  return sum.refusedCount > 0 ? EXIT.partial : EXIT.ok;
}
