import type { Vm } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import type { DiskStanding } from '../events.ts';
import type { SnapshotReport } from '../report.ts';
import type { SelectedSnapshots } from './select-snapshots.ts';
import { standingText } from './standing.ts';

const WORDS: Readonly<Record<DiskStanding['state'], string>> = {
  done: 'is reverted',
  'not-done': 'is as it was',
  unknown: 'may be either: OpenNebula took the order, what came of it cannot be seen',
};

/** Says which disk is where, and the command for either way out. */
export function revertIncomplete(
  vm: Vm,
  selected: SelectedSnapshots,
  disks: readonly DiskStanding[],
  safety: SnapshotReport['safetySet'],
  cause: unknown,
): JobError {
  const finish = `to finish: ${command(vm, selected, disks)}`;
  const back = safety === undefined ? 'to go back: no set was taken first (--snapshot-first)' : `to go back: onevault snapshot revert ${vm.id} ${safety.setId}`;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new JobError({
    code: 'JOB_REVERT_INCOMPLETE',
    message: `revert of VM ${vm.id} '${vm.name}' to '${selected.name}' stopped half-way: ${standingText(disks, WORDS)}: ${why}`,
    details: { vmId: vm.id, setId: selected.set?.setId, disks, ...(safety && { safetySetId: safety.setId }) },
    hint: `${finish}; ${back}`,
    cause,
  });
}

function command(vm: Vm, selected: SelectedSnapshots, disks: readonly DiskStanding[]): string {
  const open = disks.filter(({ state }) => state !== 'done');
  const [only] = open;
  if (selected.set !== undefined) return `onevault snapshot revert ${vm.id} ${selected.set.setId} ${open.map(({ diskId }) => `--disk ${diskId}`).join(' ')}`;
  if (open.length === 1 && only !== undefined) return `onevault snapshot revert ${vm.id} ${only.diskId}:${only.snapshotId} --foreign`;
  return `onevault snapshot revert ${vm.id} '${selected.name}' --foreign ${open.map(({ diskId }) => `--disk ${diskId}`).join(' ')}`;
}
