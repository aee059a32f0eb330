import { createSnapshotSet } from '@onevault/orchestrator';
import type { Command } from 'commander';
import type { CommandContext } from '../../command-context.ts';
import type { ExitCode } from '../../exit.ts';
import { jobRenderer } from '../../render/job-renderer.ts';
import { selectVms } from '../../select/select-vms.ts';
import { eachVm } from '../each-vm.ts';
import type { RecoverFlag } from '../recover-first.ts';
import { recoverBefore } from './recover-before.ts';
import { addDiskFlag, addLimitFlags, type DiskFlag, disksOf, type LimitFlags, limitsOf } from './snapshot-flags.ts';
import { concludeSnapshots, tellSnapshot } from './snapshot-result.ts';

export interface CreateFlags extends RecoverFlag, DiskFlag, LimitFlags {
  readonly name?: string;
  readonly keepPartial?: boolean;
}

export function addCreateFlags(command: Command): Command {
  return addLimitFlags(addDiskFlag(command.option('--name <text>', 'of the set; default: onevault-<set id>'))).option(
    '--keep-partial',
    'when a disk fails, keep the snapshots of the others instead of taking them back',
  );
}

export async function runSnapshotCreate(context: CommandContext, argv: readonly string[], flags: CreateFlags): Promise<ExitCode> {
  const { compose, output, clock, signal } = context;
  const disks = disksOf(flags);
  const wanted = {
    ...limitsOf(flags),
    keepPartial: flags.keepPartial ?? false,
    ...(flags.name !== undefined && { label: flags.name }),
    ...(disks && { disks }),
  };
  using renderer = jobRenderer(output, clock);
  await using deps = await compose.openControl((event) => renderer.emit(event), { signal });
  await recoverBefore(context, flags);
  const ids = await selectVms(deps.cloud, argv, { signal });
  const { outcomes, notAttempted } = await eachVm(
    context,
    deps,
    ids,
    (own, vmId) => createSnapshotSet(own, { ...wanted, vmId }, { signal }),
    (outcome) => tellSnapshot(context, 'create', outcome, ids.length > 1),
  );
  return concludeSnapshots(context, 'create', outcomes, notAttempted);
}
