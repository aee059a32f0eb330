import { randomBytes } from 'node:crypto';
import { lockVm, parseId } from '@onevault/composition';
import { type JobDeps, type RestoreDiskReport, type RestoreDiskRequest, restoreDisk } from '@onevault/orchestrator';
import { Command } from 'commander';
import type { CommandContext, RunCommand } from '../command-context.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { restoreDiskLine } from '../render/summary-line.ts';
import { selectPoint } from '../select/select-point.ts';
import { selectVm } from '../select/select-vms.ts';
import { addRecoverFlag, type RecoverFlag, recoverFirst } from './recover-first.ts';
import { addImageFlags, datastoreOf, type ImageFlags, imageWishes } from './restore-flags.ts';

interface RestoreDiskFlags extends RecoverFlag, ImageFlags {
  readonly vm?: string;
  readonly disk: string;
  readonly name: string;
  readonly datastore?: string;
  readonly attachTo?: string;
  readonly target?: string;
}

export function restoreDiskCommand(run: RunCommand): Command {
  const command = new Command('restore-disk')
    .argument('<point>', 'id, unique prefix of one, latest or latest~1')
    .description('restore one disk to a new image, and attach it to a VM if asked for')
    .requiredOption('--disk <id>', 'DISK_ID in the saved VM')
    .requiredOption('--name <name>', 'of the new image')
    .option('--vm <vm>', 'whose latest')
    .option('--datastore <datastore>', 'id or name; default: where the disk came from')
    .option('--attach-to <vm>', 'a VM that runs or is powered off, by id or name: it gets the image as a disk, and keeps it')
    .option('--target <target>', 'under this name: sdb, vdc; default: what OpenNebula picks');
  return addRecoverFlag(addImageFlags(command)).action((point: string, flags: RestoreDiskFlags, sub: Command) =>
    run(sub, (context) => runRestoreDisk(context, point, flags)),
  );
}

async function runRestoreDisk(context: CommandContext, text: string, flags: RestoreDiskFlags): Promise<ExitCode> {
  const { compose, output, clock, signal } = context;
  const attach = targetOf(flags);
  using renderer = jobRenderer(output, clock);
  await using deps = await compose.openJobs((event) => renderer.emit(event), { signal });
  const point = await selectPoint(deps.repository, text, flags.vm, { signal });
  const vmId = attach && (await selectVm(deps.cloud, attach.vm, { signal }));
  const request: RestoreDiskRequest = {
    pointId: point.id,
    diskId: parseId(flags.disk, 'a disk'),
    name: flags.name,
    ...(await imageWishes(deps.cloud, flags, signal)),
    ...(flags.datastore !== undefined && { imageDatastore: await datastoreOf(deps.cloud, flags.datastore, signal) }),
    ...(vmId !== undefined && { attachTo: { vmId, ...(attach?.target !== undefined && { target: attach.target }) } }),
  };
  const earlier = await recoverFirst(context, deps, flags);
  const report = await restored(context, deps, request);
  output.line(restoreDiskLine(report));
  output.document('restore-disk.result', { ...report, ...earlier });
  return report.residue.length > 0 || report.notes.some(({ code }) => code === 'OWNERSHIP_NOT_GIVEN') ? EXIT.partial : EXIT.ok;
}

/** Nobody backs up the VM while a disk is plugged into it. */
async function restored({ settings, clock, signal }: CommandContext, deps: JobDeps, request: RestoreDiskRequest): Promise<RestoreDiskReport> {
  const { attachTo } = request;
  const lock = { stateDir: settings.stateDir, journals: deps.journals, clock, randomBytes };
  await using _ = attachTo && (await lockVm(lock, deps.cloud.endpoint, attachTo.vmId, { signal }));
  return await restoreDisk(deps, request, { signal });
}

function targetOf({ attachTo, target }: RestoreDiskFlags): { readonly vm: string; readonly target: string | undefined } | undefined {
  if (attachTo === undefined && target !== undefined) throw usageError('--target says where, and not in which VM', 'add --attach-to VM');
  if (target !== undefined && !/^(sd|vd|hd|xvd)[a-z]{1,2}$/.test(target)) throw usageError(`'${target}' is not a target`, 'sdb, vdc, …');
  return attachTo === undefined ? undefined : { vm: attachTo, target };
}
