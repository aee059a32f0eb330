/** VM STATE (include/VirtualMachine.h). */
export const VM_STATE = {
  PENDING: 1,
  HOLD: 2,
  ACTIVE: 3,
  STOPPED: 4,
  SUSPENDED: 5,
  DONE: 6,
  POWEROFF: 8,
  UNDEPLOYED: 9,
  CLONING: 10,
  CLONING_FAILURE: 11,
} as const;

/** VM LCM_STATE, the ones this simulator passes through; meaningful while STATE is ACTIVE. */
export const LCM_STATE = {
  LCM_INIT: 0,
  PROLOG: 1,
  BOOT: 2,
  RUNNING: 3,
  SAVE_STOP: 5,
  SAVE_SUSPEND: 6,
  PROLOG_RESUME: 9,
  EPILOG_STOP: 10,
  EPILOG: 11,
  SHUTDOWN: 12,
  HOTPLUG: 17,
  SHUTDOWN_POWEROFF: 18,
  BOOT_POWEROFF: 20,
  BOOT_SUSPENDED: 21,
  BOOT_STOPPED: 22,
  HOTPLUG_SAVEAS: 26,
  HOTPLUG_SAVEAS_POWEROFF: 27,
  HOTPLUG_SAVEAS_SUSPENDED: 28,
  SHUTDOWN_UNDEPLOY: 29,
  EPILOG_UNDEPLOY: 30,
  PROLOG_UNDEPLOY: 31,
  BOOT_UNDEPLOY: 32,
  HOTPLUG_PROLOG_POWEROFF: 33,
  HOTPLUG_EPILOG_POWEROFF: 34,
  BOOT_FAILURE: 36,
  PROLOG_FAILURE: 39,
  DISK_SNAPSHOT_POWEROFF: 51,
  DISK_SNAPSHOT_REVERT_POWEROFF: 52,
  DISK_SNAPSHOT_DELETE_POWEROFF: 53,
  DISK_SNAPSHOT_SUSPENDED: 54,
  DISK_SNAPSHOT_DELETE_SUSPENDED: 56,
  DISK_SNAPSHOT: 57,
  DISK_SNAPSHOT_DELETE: 59,
  DISK_RESIZE: 62,
  DISK_RESIZE_POWEROFF: 63,
  HOTPLUG_SAVEAS_UNDEPLOYED: 67,
  HOTPLUG_SAVEAS_STOPPED: 68,
} as const;

export const IMAGE_STATE = {
  INIT: 0,
  READY: 1,
  USED: 2,
  DISABLED: 3,
  LOCKED: 4,
  ERROR: 5,
  CLONE: 6,
  DELETE: 7,
  USED_PERS: 8,
  LOCKED_USED: 9,
  LOCKED_USED_PERS: 10,
} as const;

export const IMAGE_TYPE = { OS: 0, CDROM: 1, DATABLOCK: 2, KERNEL: 3, RAMDISK: 4, CONTEXT: 5, BACKUP: 6, FILESYSTEM: 7 } as const;

/** TYPE of a datastore. */
export const DATASTORE_TYPE = { IMAGE: 0, SYSTEM: 1, FILE: 2, BACKUP: 3 } as const;

/** HISTORY/ACTION (include/VMActions.h). */
export const ACTION = {
  NONE: 0,
  UNDEPLOY: 5,
  HOLD: 7,
  RELEASE: 8,
  STOP: 9,
  SUSPEND: 10,
  RESUME: 11,
  POWEROFF: 19,
  POWEROFF_HARD: 20,
  DISK_ATTACH: 21,
  DISK_DETACH: 22,
  DISK_SNAPSHOT_CREATE: 25,
  DISK_SNAPSHOT_DELETE: 26,
  TERMINATE: 27,
  TERMINATE_HARD: 28,
  DISK_RESIZE: 29,
  DISK_SNAPSHOT_REVERT: 41,
} as const;

const nameOf = (table: Readonly<Record<string, number>>, value: number): string =>
  Object.entries(table).find(([, number]) => number === value)?.[0] ?? String(value);

/** As VirtualMachine::state_str: the LCM name while ACTIVE, the STATE name otherwise. */
export function vmStateText(vm: { readonly state: number; readonly lcmState: number }): string {
  return vm.state === VM_STATE.ACTIVE ? nameOf(LCM_STATE, vm.lcmState) : nameOf(VM_STATE, vm.state);
}

/** As Image::state_to_str. */
export function imageStateText(state: number): string {
  if (state === IMAGE_STATE.USED_PERS) return 'USED';
  if (state === IMAGE_STATE.LOCKED_USED || state === IMAGE_STATE.LOCKED_USED_PERS) return 'LOCKED';
  return nameOf(IMAGE_STATE, state);
}

export function imageTypeText(type: number): string {
  return nameOf(IMAGE_TYPE, type);
}
