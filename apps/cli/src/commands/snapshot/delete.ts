import { deleteSnapshots, planDelete, readSnapshots, type SnapshotChoice, selectSnapshots } from '@onevault/orchestrator';
import type { CommandContext } from '../../command-context.ts';
import { confirm } from '../../confirm.ts';
import { EXIT, type ExitCode } from '../../exit.ts';
import { jobRenderer } from '../../render/job-renderer.ts';
import { printable } from '../../render/table.ts';
import { count } from '../../render/units.ts';
import { selectVm } from '../../select/select-vms.ts';
import { eachVm } from '../each-vm.ts';
import type { RecoverFlag } from '../recover-first.ts';
import { recoverBefore } from './recover-before.ts';
import { readVm } from './revert.ts';
import { type DiskFlag, disksOf } from './snapshot-flags.ts';
import { concludeSnapshots, tellSnapshot } from './snapshot-result.ts';

export interface DeleteFlags extends RecoverFlag, DiskFlag {
  readonly foreign?: boolean;
  readonly yes?: boolean;
}

export async function runSnapshotDelete(context: CommandContext, argument: string, references: readonly string[], flags: DeleteFlags): Promise<ExitCode> {
  const { compose, output, clock, signal } = context;
  const disks = disksOf(flags);
  using renderer = jobRenderer(output, clock);
  await using deps = await compose.openControl((event) => renderer.emit(event), { signal });
  await recoverBefore(context, flags);
  const vmId = await selectVm(deps.cloud, argument, { signal });
  const vm = await readVm(deps.cloud, vmId, signal);
  const all = readSnapshots(vm);
  const choices = references.map((reference): SnapshotChoice => ({ reference, foreign: flags.foreign ?? false, ...(disks && { disks }) }));
  const selected = choices.map((choice) => selectSnapshots(all, choice));
  const members = [...new Set(selected.flatMap((one) => one.members))];
  const names = selected.map(({ name }) => `'${printable(name)}'`).join(', ');
  const asking = flags.yes !== true && planDelete(vm, members).refusals.length === 0;
  if (asking && !(await confirm(context, `${count(members.length, 'snapshot')} of VM ${vm.id} ${printable(vm.name)} (${names}) will be deleted.`))) {
    output.note('nothing was deleted');
    return EXIT.cancelled;
  }
  // What was asked about is what is done: `latest` may be another one by now.
  const settled = choices.map((choice, at) =>
    choice.reference === 'latest' ? { ...choice, reference: selected[at]?.set?.setId ?? choice.reference } : choice,
  );
  const { outcomes, notAttempted } = await eachVm(
    context,
    deps,
    [vmId],
    (own) => deleteSnapshots(own, { vmId, snapshots: settled }, { signal }),
    (outcome) => tellSnapshot(context, 'delete', outcome, false),
  );
  return concludeSnapshots(context, 'delete', outcomes, notAttempted);
}
