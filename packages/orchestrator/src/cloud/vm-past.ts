import type { Vm } from '@onevault/one-client';

/** Numbers of include/VMActions.h. */
const ACTION = { NONE: 0, RESUME: 11, POWEROFF: 19, POWEROFF_HARD: 20, DISK_SNAPSHOT_REVERT: 41 } as const;

/** The VM's HISTORY record that is open now. */
export function lastSeq(vm: Vm): number {
  return vm.history.at(-1)?.seq ?? 0;
}

/**
 * Whether a VM that stands was started since record `seq` and stopped again on purpose. Whatever is done to a VM ends its HISTORY record under a number of
 * its own (close_cp_history, DispatchManagerActions.cc); only a start ends it under the number it had, that of the stop before, and begins one under
 * RESUME (trigger_restart, LifeCycleActions.cc), which a start that fails leaves so and a stop makes its own.
 */
export function wasStoppedAgainSince(vm: Vm, seq: number): boolean {
  const stops: readonly number[] = [ACTION.POWEROFF, ACTION.POWEROFF_HARD];
  const started = endedSince(vm, seq).some((record) => record.action === ACTION.NONE || record.action === ACTION.RESUME || stops.includes(record.action));
  return started && stops.includes(vm.history.at(-1)?.action ?? ACTION.NONE);
}

/** Whether anything but reverts of disk snapshots was done to it since. */
export function wasTouchedSince(vm: Vm, seq: number): boolean {
  return endedSince(vm, seq).some((record) => record.action !== ACTION.DISK_SNAPSHOT_REVERT);
}

function endedSince(vm: Vm, seq: number): Vm['history'] {
  return vm.history.slice(0, -1).filter((record) => record.seq >= seq);
}
