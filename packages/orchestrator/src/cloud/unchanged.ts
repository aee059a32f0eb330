import { type Disk, isRunning, type Vm } from '@onevault/one-client';
import { JobError } from '../errors.ts';

/** What the plan was made for: a disk of a VM, and whether the VM was at rest. */
export interface Planned {
  readonly vm: Vm;
  readonly disk: Disk;
}

/**
 * Between two calls anybody may detach a disk, attach another one under the DISK_ID that became free, resize it, or start a VM that was off
 * (opennebula.md section l.19). Looked at right before a call, and again when its effect is there: what the plan says must be what was captured.
 */
export function assertUnchanged(now: Vm, planned: Planned): void {
  const { disk } = planned;
  const found = now.disks.find((entry) => entry.diskId === disk.diskId);
  if (found === undefined) throw diskChanged(now, disk, 'was detached');
  if (found.imageId !== disk.imageId) throw diskChanged(now, disk, `is another disk now (image ${found.imageId ?? 'none'} instead of ${disk.imageId})`);
  if (found.sizeMiB !== disk.sizeMiB) throw diskChanged(now, disk, `was resized from ${disk.sizeMiB} to ${found.sizeMiB} MiB`);
  if (isRunning(now) && !isRunning(planned.vm)) throw diskChanged(now, disk, 'is in use again: the VM was started');
}

/** As above, for a copy of a disk at rest, which is of its moment only as long as nobody has written since. (A snapshot of a VM at rest makes a record itself.) */
export function assertUntouched(now: Vm, planned: Planned): void {
  assertUnchanged(now, planned);
  const { disk } = planned;
  if (!isRunning(planned.vm) && lastRecord(now) !== lastRecord(planned.vm))
    throw diskChanged(now, disk, 'may have been written to: the VM was started and stopped, or changed otherwise,');
}

/** A VM at rest gets a new history record when it is started and when something is done to its disks (LifeCycleActions.cc, DispatchManager::close_cp_history); a copy makes none. */
function lastRecord(vm: Vm): number | undefined {
  return vm.history.at(-1)?.seq;
}

function diskChanged(vm: Vm, disk: Disk, what: string): JobError {
  return new JobError({
    code: 'JOB_DISK_CHANGED',
    message: `disk ${disk.diskId} of VM ${vm.id} '${vm.name}' ${what} since this was planned`,
    details: { vmId: vm.id, diskId: disk.diskId },
    retryable: true,
    hint: 'start again: it plans anew',
  });
}
