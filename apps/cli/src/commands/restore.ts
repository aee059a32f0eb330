import { datastoreId, type OneApi } from '@onevault/one-client';
import { type NicChoice, type RestoreReport, type RestoreRequest, restoreVm } from '@onevault/orchestrator';
import { Command, Option } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { restoreLine } from '../render/summary-line.ts';
import { selectPoint } from '../select/select-point.ts';
import { addRecoverFlag, type RecoverFlag, recoverFirst } from './recover-first.ts';

export interface RestoreFlags extends RecoverFlag {
  readonly vm?: string;
  readonly name: string;
  readonly imageDatastore?: string;
  readonly systemDatastore?: string;
  readonly nics?: NicChoice;
  readonly hold?: boolean;
  readonly verify: boolean;
}

export function restoreCommand(run: RunCommand): Command {
  return addRecoverFlag(new Command('restore'))
    .argument('<point>', 'id, unique prefix of one, latest or latest~1')
    .description('restore a VM as a new one, which comes up RUNNING; the original is not touched')
    .requiredOption('--name <name>', 'of the new VM')
    .option('--vm <vm>', 'whose latest')
    .option('--image-datastore <datastore>', 'id or name, for all disks; default: where each came from')
    .option('--system-datastore <datastore>', 'id or name; default: what the scheduler picks')
    .addOption(
      new Option('--nics <choice>', 'default: keep when the original VM is gone, new-addresses while it lives').choices(['keep', 'new-addresses', 'none']),
    )
    .option('--hold', 'leave the new VM in HOLD')
    .option('--no-verify', 'do not read the written disks back')
    .action((point: string, flags: RestoreFlags, sub: Command) => run(sub, async (context) => exitOf(await runRestore(context, point, flags))));
}

export async function runRestore(context: CommandContext, text: string, flags: RestoreFlags): Promise<RestoreReport> {
  const { compose, output, clock, signal } = context;
  using renderer = jobRenderer(output, clock);
  await using deps = await compose.openJobs((event) => renderer.emit(event), { signal });
  const point = await selectPoint(deps.repository, text, flags.vm, { signal });
  const request: RestoreRequest = {
    pointId: point.id,
    name: flags.name,
    hold: flags.hold ?? false,
    verify: flags.verify,
    ...(flags.nics !== undefined && { nics: flags.nics }),
    ...(flags.imageDatastore !== undefined && { imageDatastore: await findDatastore(deps.cloud, flags.imageDatastore, signal) }),
    ...(flags.systemDatastore !== undefined && { systemDatastore: await findDatastore(deps.cloud, flags.systemDatastore, signal) }),
  };
  const earlier = await recoverFirst(context, deps, flags);
  const report = await restoreVm(deps, request, { signal });
  output.line(restoreLine(report));
  output.document('restore.result', { ...report, ...earlier });
  return report;
}

function exitOf(report: RestoreReport): ExitCode {
  return report.residue.length > 0 ? EXIT.partial : EXIT.ok;
}

async function findDatastore(cloud: OneApi, text: string, signal: AbortSignal): Promise<ReturnType<typeof datastoreId>> {
  if (/^\d+$/.test(text)) return datastoreId(Number(text));
  const datastores = await cloud.datastores({ signal });
  const [first, ...others] = datastores.filter((datastore) => datastore.name === text);
  if (first !== undefined && others.length === 0) return first.id;
  throw usageError(
    `${first === undefined ? 'no datastore is' : `${others.length + 1} datastores are`} named '${text}'`,
    `datastores: ${datastores.map(({ id, name }) => `${id} ${name}`).join(', ')}`,
  );
}
