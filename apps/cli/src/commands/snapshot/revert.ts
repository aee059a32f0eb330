import { ownVmOf } from '@onevault/composition';
import { isRunning, type OneApi, type Vm, type VmId } from '@onevault/one-client';
import { type RevertRequest, readSnapshots, revertSnapshots, type SelectedSnapshots, selectSnapshots } from '@onevault/orchestrator';
import type { CommandContext } from '../../command-context.ts';
import { confirm } from '../../confirm.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { jobRenderer } from '../../render/job-renderer.ts';
import { printable } from '../../render/table.ts';
import { count, formatTime } from '../../render/units.ts';
import { asVmError, selectVm } from '../../select/select-vms.ts';
import { eachVm } from '../each-vm.ts';
import type { RecoverFlag } from '../recover-first.ts';
import { recoverBefore } from './recover-before.ts';
import { type DiskFlag, disksOf, type LimitFlags, limitsOf, spanMs } from './snapshot-flags.ts';
import { concludeSnapshots, tellSnapshot } from './snapshot-result.ts';

export interface RevertFlags extends RecoverFlag, DiskFlag, LimitFlags {
  readonly snapshotFirst?: boolean;
  readonly stopTimeout: string;
  readonly hard?: boolean;
  readonly allowBranch?: boolean;
  readonly dropYounger?: boolean;
  readonly foreign?: boolean;
  readonly yes?: boolean;
}

export async function runSnapshotRevert(context: CommandContext, argument: string, reference: string, flags: RevertFlags): Promise<ExitCode> {
  const { compose, output, clock, signal } = context;
  const stop = { gracefulMs: spanMs(flags.stopTimeout, '--stop-timeout', 'smh'), hard: flags.hard ?? false };
  const limits = limitsOf(flags);
  const disks = disksOf(flags);
  using renderer = jobRenderer(output, clock);
  await using deps = await compose.openControl((event) => renderer.emit(event), { signal });
  await recoverBefore(context, flags);
  const vmId = await selectVm(deps.cloud, argument, { signal });
  const vm = await readVm(deps.cloud, vmId, signal);
  const selected = selectSnapshots(readSnapshots(vm), { reference, foreign: flags.foreign ?? false, ...(disks && { disks }) });
  if (flags.yes !== true && !(await confirm(context, question(vm, selected)))) {
    output.note('nothing was reverted');
    return EXIT.cancelled;
  }
  const ownVm = await ownVmOf(context.settings, deps.cloud, { signal: context.signal });
  const request: RevertRequest = {
    vmId,
    // What was asked about is what is done: `latest` may be another one by now.
    reference: reference === 'latest' ? (selected.set?.setId ?? reference) : reference,
    foreign: flags.foreign ?? false,
    ...(disks && { disks }),
    allowBranch: flags.allowBranch ?? false,
    dropYounger: flags.dropYounger ?? false,
    stop,
    ...(flags.snapshotFirst === true && { snapshotFirst: limits }),
    ...(ownVm !== undefined && { ownVm }),
  };
  const { outcomes, notAttempted } = await eachVm(
    context,
    deps,
    [vmId],
    (own) => revertSnapshots(own, request, { signal }),
    (outcome) => tellSnapshot(context, 'revert', outcome, false),
  );
  return concludeSnapshots(context, 'revert', outcomes, notAttempted);
}

export async function readVm(cloud: OneApi, id: VmId, signal: AbortSignal): Promise<Vm> {
  return await cloud.vm(id, { signal }).catch((error: unknown) => {
    throw asVmError(error, id);
  });
}

function question(vm: Vm, { name, set, members }: SelectedSnapshots): string {
  const disks = `${count(members.length, 'disk')} (${members.map(({ disk }) => disk.diskId).join(', ')})`;
  const taken = set === undefined ? '' : ` of ${formatTime(set.createdAt)}`;
  const down = isRunning(vm) ? 'is powered off for it; ' : '';
  return `VM ${vm.id} ${printable(vm.name)} ${down}${disks} go back to '${printable(name)}'${taken}, and what was written since is lost.`;
}
