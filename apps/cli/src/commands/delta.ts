import { parseId } from '@onevault/composition';
import { imageId } from '@onevault/one-client';
import { type OverwriteRequest, overwriteImage, planOverwrite } from '@onevault/orchestrator';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { confirm } from '../confirm.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { deltaLine } from '../render/summary-line.ts';
import { printable } from '../render/table.ts';
import { selectPoint } from '../select/select-point.ts';
import { addRecoverFlag, type RecoverFlag, recoverFirst } from './recover-first.ts';

interface DeltaFlags extends RecoverFlag {
  readonly vm?: string;
  readonly disk: string;
  readonly image: string;
  readonly overwrite?: boolean;
  readonly verify: boolean;
  readonly yes?: boolean;
}

export function deltaCommand(run: RunCommand): Command {
  return addRecoverFlag(new Command('delta'))
    .argument('<point>', 'id, unique prefix of one, latest or latest~1')
    .description('write a disk of a restore point over an image that no VM uses, only where it differs; there is no way back')
    .requiredOption('--disk <id>', 'of the restore point')
    .requiredOption('--image <id>', 'that is written over: READY, of the same size, without snapshots')
    .option('--overwrite', 'what the image holds now may be lost: without it nothing is written')
    .option('--vm <vm>', 'whose latest')
    .option('--no-verify', 'do not compare once more when it is written')
    .option('-y, --yes', 'ask nothing, also on a terminal')
    .action((point: string, flags: DeltaFlags, sub: Command) => run(sub, (context) => delta(context, point, flags)));
}

async function delta(context: CommandContext, text: string, flags: DeltaFlags): Promise<ExitCode> {
  const { compose, output, clock, signal } = context;
  const diskId = parseId(flags.disk, 'a disk');
  const image = imageId(parseId(flags.image, 'an image'));
  using renderer = jobRenderer(output, clock);
  await using deps = await compose.openJobs((event) => renderer.emit(event), { signal });
  const point = await selectPoint(deps.repository, text, flags.vm, { signal });
  const request: OverwriteRequest = { pointId: point.id, diskId, imageId: image, overwrite: flags.overwrite ?? false, verify: flags.verify };
  const earlier = await recoverFirst(context, deps, flags);
  const plan = await planOverwrite(deps, request, { signal });
  if (request.overwrite) for (const loss of plan.losses) output.note(printable(loss));
  if (request.overwrite && flags.yes !== true && !(await confirm(context, `${plan.losses.map(printable).join('; ')}.`))) {
    output.note('nothing was written');
    return EXIT.cancelled;
  }
  const report = await overwriteImage(deps, request, { signal });
  output.line(deltaLine(report));
  output.document('delta.result', { ...report, ...earlier });
  return report.residue.length > 0 ? EXIT.partial : EXIT.ok;
}
