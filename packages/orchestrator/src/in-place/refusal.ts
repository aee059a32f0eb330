import type { Vm } from '@onevault/one-client';
import { JobError } from '../errors.ts';

/** Why disks of a VM are not exchanged. Part of the JSON API: codes are added, never renamed. */
export type SwapRefusalCode =
  | 'RESTORE_VM_STATE'
  | 'RESTORE_VM_LOCKED'
  | 'RESTORE_VM_NOT_KVM'
  | 'RESTORE_VM_IS_PROXY'
  | 'RESTORE_OTHER_VM'
  | 'RESTORE_SYSTEM_SNAPSHOTS'
  | 'RESTORE_SNAPSHOTS_LOST'
  | 'RESTORE_NO_DISK'
  | 'RESTORE_DISK_UNKNOWN'
  | 'RESTORE_DISK_GONE'
  | 'RESTORE_DISK_NOT_IMAGE'
  | 'RESTORE_DISK_SIZE'
  | 'RESTORE_IMAGE_SHARED'
  | 'RESTORE_ATTRIBUTE_RESTRICTED'
  | 'RESTORE_RIGHTS'
  | 'RESTORE_NO_SPACE'
  | 'RESTORE_QUOTA'
  | 'UNDO_INCOMPLETE'
  | 'UNDO_DISK_CHANGED'
  | 'UNDO_UNCONFIRMED'
  | 'UNDO_IMAGE_STATE';

export interface SwapRefusal {
  readonly code: SwapRefusalCode;
  readonly target?: string;
  /** Why, as the end of a sentence about the VM or the disk. */
  readonly text: string;
  /** What would make it possible. */
  readonly remedy: string;
}

export interface SwapNote {
  readonly code: string;
  readonly message: string;
}

/** Nothing was done. */
export function swapRefused(vm: Pick<Vm, 'id' | 'name'>, what: string, refusals: readonly SwapRefusal[]): JobError {
  return new JobError({
    code: 'JOB_RESTORE_REFUSED',
    message: `${what} of VM ${vm.id} '${vm.name}' is not possible: ${refusals.map(({ target, text }) => (target === undefined ? text : `${target}: ${text}`)).join('; ')}`,
    details: { vmId: vm.id, reasons: refusals.map(({ code, target }) => ({ code, target })) },
    hint: [...new Set(refusals.map(({ remedy }) => remedy))].join('; '),
  });
}
