import type { RestorePoint } from '@onevault/backup-format';
import { pointVm } from '@onevault/composition';
import { type JobDeps, type NicChoice, type RestoreReport, type RestoreRequest, restoreVm } from '@onevault/orchestrator';
import { Command, Option } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { remoteRestore } from '../remote/restore.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { restoreLine } from '../render/summary-line.ts';
import { selectPoint } from '../select/select-point.ts';
import { addRecoverFlag, type RecoverFlag, recoverFirst } from './recover-first.ts';
import { answersOf, dryRun } from './restore-dry-run.ts';
import { addImageFlags, datastoreOf, type ImageFlags, imageDatastores, imageWishes, networkChanges, parallelOf, repeated } from './restore-flags.ts';

export interface RestoreFlags extends RecoverFlag, ImageFlags {
  readonly vm?: string;
  readonly name?: string;
  readonly suffix?: string;
  readonly imageDatastore?: readonly string[];
  readonly systemDatastore?: string;
  readonly nics?: NicChoice;
  readonly network?: readonly string[];
  readonly hold?: boolean;
  readonly parallel?: string;
  readonly answer?: readonly string[];
  readonly dryRun?: boolean;
}

export function restoreCommand(run: RunCommand): Command {
  const command = new Command('restore')
    .argument('<point>', 'id, unique prefix of one, latest or latest~1')
    .description('restore a VM as a new one, which comes up RUNNING; the original is not touched')
    .option('--name <name>', 'of the new VM; default: that of the saved one, with --suffix')
    .option('--suffix <text>', 'behind the name: --suffix=-restored')
    .option('--vm <vm>', 'whose latest')
    .option('--image-datastore <datastore>', 'id or name, for all disks, or DISK=datastore for one (may be repeated); default: where each came from', repeated)
    .option('--system-datastore <datastore>', 'id or name; default: what the scheduler picks')
    .addOption(
      new Option('--nics <choice>', 'default: keep when the original VM is gone, new-addresses while it lives').choices(['keep', 'new-addresses', 'none']),
    )
    .option('--network <old=new>', 'cards of the saved VM in the one network go to the other; ids or names (may be repeated)', repeated)
    .option('--hold', 'leave the new VM in HOLD')
    .option('--parallel <n>', 'disks written at the same time', '2')
    .option('--answer <question=answer>', 'to a question of the definition: uuid, pci, sched-actions (may be repeated; docs/restored-definition.md)', repeated)
    .option('--dry-run', 'show what would be made, how the definition changes, and what speaks against it; make nothing');
  return addRecoverFlag(addImageFlags(command)).action((point: string, flags: RestoreFlags, sub: Command) =>
    run(
      sub,
      async (context) => (flags.dryRun === true ? showRestore(context, point, flags) : exitOf(await runRestore(context, point, flags))),
      (context) => remoteRestore(context, point, flags),
    ),
  );
}

export async function runRestore(context: CommandContext, text: string, flags: RestoreFlags): Promise<RestoreReport> {
  const { compose, output, clock, signal } = context;
  using renderer = jobRenderer(output, clock);
  await using deps = await compose.openJobs((event) => renderer.emit(event), { signal });
  const point = await selectPoint(deps.repository, text, flags.vm, { signal });
  const request = await restoreRequest(deps, point, flags, signal);
  const earlier = await recoverFirst(context, deps, flags);
  const report = await restoreVm(deps, request, { signal });
  output.line(restoreLine(report));
  output.document('restore.result', { ...report, ...earlier });
  return report;
}

async function showRestore(context: CommandContext, text: string, flags: RestoreFlags): Promise<ExitCode> {
  const { compose, signal } = context;
  await using deps = await compose.openJobs(() => undefined, { signal });
  const point = await selectPoint(deps.repository, text, flags.vm, { signal });
  return dryRun(context, deps, await restoreRequest(deps, point, flags, signal));
}

/** What the flags ask for, with every name looked up. */
async function restoreRequest({ cloud }: Pick<JobDeps, 'cloud'>, point: RestorePoint, flags: RestoreFlags, signal: AbortSignal): Promise<RestoreRequest> {
  const { systemDatastore, nics, network = [], hold = false, parallel = '2' } = flags;
  return {
    pointId: point.id,
    name: newName(point, flags),
    hold,
    parallelDisks: parallelOf(parallel),
    ...(await imageWishes(cloud, flags, signal)),
    ...(await imageDatastores(cloud, flags.imageDatastore ?? [], signal)),
    ...(nics !== undefined && { nics }),
    networks: await networkChanges(cloud, network, signal),
    answers: answersOf(flags.answer ?? []),
    ...(systemDatastore !== undefined && { systemDatastore: await datastoreOf(cloud, systemDatastore, signal) }),
  };
}

/** Never that of the saved VM by itself: two VMs of one name are easily taken for one another. */
function newName(point: RestorePoint, { name, suffix = '' }: RestoreFlags): string {
  if (name !== undefined) return `${name}${suffix}`;
  const saved = pointVm(point).name;
  if (suffix === '' || saved === undefined)
    throw usageError('the new VM has no name', '--name NAME, or --suffix TEXT to call it like the saved one with that behind');
  return `${saved}${suffix}`;
}

function exitOf({ residue, notes }: RestoreReport): ExitCode {
  return residue.length > 0 || notes.some(({ code }) => code === 'OWNERSHIP_NOT_GIVEN') ? EXIT.partial : EXIT.ok;
}
