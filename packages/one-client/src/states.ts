/**
 * OpenNebula's state numbers; no other file knows one. Names as in include/VirtualMachine.h, Image.h, Host.h and Datastore.h (the same from
 * 6.10 to 7.4), short names as the `one*` commands print them (src/oca/ruby/opennebula).
 */
interface StateName {
  readonly name: string;
  readonly short: string;
}
type StateTable = ReadonlyMap<number, StateName>;

function table(rows: readonly (readonly [number, string, string])[]): StateTable {
  return new Map(rows.map(([number, name, short]) => [number, { name, short }]));
}

const VM: StateTable = table([
  [0, 'INIT', 'init'],
  [1, 'PENDING', 'pend'],
  [2, 'HOLD', 'hold'],
  [3, 'ACTIVE', 'actv'],
  [4, 'STOPPED', 'stop'],
  [5, 'SUSPENDED', 'susp'],
  [6, 'DONE', 'done'],
  [8, 'POWEROFF', 'poff'],
  [9, 'UNDEPLOYED', 'unde'],
  [10, 'CLONING', 'clon'],
  [11, 'CLONING_FAILURE', 'fail'],
]);

const LCM: StateTable = table([
  [0, 'LCM_INIT', 'init'],
  [1, 'PROLOG', 'prol'],
  [2, 'BOOT', 'boot'],
  [3, 'RUNNING', 'runn'],
  [4, 'MIGRATE', 'migr'],
  [5, 'SAVE_STOP', 'save'],
  [6, 'SAVE_SUSPEND', 'save'],
  [7, 'SAVE_MIGRATE', 'save'],
  [8, 'PROLOG_MIGRATE', 'migr'],
  [9, 'PROLOG_RESUME', 'prol'],
  [10, 'EPILOG_STOP', 'epil'],
  [11, 'EPILOG', 'epil'],
  [12, 'SHUTDOWN', 'shut'],
  [15, 'CLEANUP_RESUBMIT', 'clea'],
  [16, 'UNKNOWN', 'unkn'],
  [17, 'HOTPLUG', 'hotp'],
  [18, 'SHUTDOWN_POWEROFF', 'shut'],
  [19, 'BOOT_UNKNOWN', 'boot'],
  [20, 'BOOT_POWEROFF', 'boot'],
  [21, 'BOOT_SUSPENDED', 'boot'],
  [22, 'BOOT_STOPPED', 'boot'],
  [23, 'CLEANUP_DELETE', 'clea'],
  [24, 'HOTPLUG_SNAPSHOT', 'snap'],
  [25, 'HOTPLUG_NIC', 'hotp'],
  [26, 'HOTPLUG_SAVEAS', 'hotp'],
  [27, 'HOTPLUG_SAVEAS_POWEROFF', 'hotp'],
  [28, 'HOTPLUG_SAVEAS_SUSPENDED', 'hotp'],
  [29, 'SHUTDOWN_UNDEPLOY', 'shut'],
  [30, 'EPILOG_UNDEPLOY', 'epil'],
  [31, 'PROLOG_UNDEPLOY', 'prol'],
  [32, 'BOOT_UNDEPLOY', 'boot'],
  [33, 'HOTPLUG_PROLOG_POWEROFF', 'hotp'],
  [34, 'HOTPLUG_EPILOG_POWEROFF', 'hotp'],
  [35, 'BOOT_MIGRATE', 'boot'],
  [36, 'BOOT_FAILURE', 'fail'],
  [37, 'BOOT_MIGRATE_FAILURE', 'fail'],
  [38, 'PROLOG_MIGRATE_FAILURE', 'fail'],
  [39, 'PROLOG_FAILURE', 'fail'],
  [40, 'EPILOG_FAILURE', 'fail'],
  [41, 'EPILOG_STOP_FAILURE', 'fail'],
  [42, 'EPILOG_UNDEPLOY_FAILURE', 'fail'],
  [43, 'PROLOG_MIGRATE_POWEROFF', 'migr'],
  [44, 'PROLOG_MIGRATE_POWEROFF_FAILURE', 'fail'],
  [45, 'PROLOG_MIGRATE_SUSPEND', 'migr'],
  [46, 'PROLOG_MIGRATE_SUSPEND_FAILURE', 'fail'],
  [47, 'BOOT_UNDEPLOY_FAILURE', 'fail'],
  [48, 'BOOT_STOPPED_FAILURE', 'fail'],
  [49, 'PROLOG_RESUME_FAILURE', 'fail'],
  [50, 'PROLOG_UNDEPLOY_FAILURE', 'fail'],
  [51, 'DISK_SNAPSHOT_POWEROFF', 'snap'],
  [52, 'DISK_SNAPSHOT_REVERT_POWEROFF', 'snap'],
  [53, 'DISK_SNAPSHOT_DELETE_POWEROFF', 'snap'],
  [54, 'DISK_SNAPSHOT_SUSPENDED', 'snap'],
  [56, 'DISK_SNAPSHOT_DELETE_SUSPENDED', 'snap'],
  [57, 'DISK_SNAPSHOT', 'snap'],
  [59, 'DISK_SNAPSHOT_DELETE', 'snap'],
  [60, 'PROLOG_MIGRATE_UNKNOWN', 'migr'],
  [61, 'PROLOG_MIGRATE_UNKNOWN_FAILURE', 'fail'],
  [62, 'DISK_RESIZE', 'drsz'],
  [63, 'DISK_RESIZE_POWEROFF', 'drsz'],
  [64, 'DISK_RESIZE_UNDEPLOYED', 'drsz'],
  [65, 'HOTPLUG_NIC_POWEROFF', 'hotp'],
  [66, 'HOTPLUG_RESIZE', 'hotp'],
  [67, 'HOTPLUG_SAVEAS_UNDEPLOYED', 'hotp'],
  [68, 'HOTPLUG_SAVEAS_STOPPED', 'hotp'],
  [69, 'BACKUP', 'back'],
  [70, 'BACKUP_POWEROFF', 'back'],
  [71, 'RESTORE', 'rest'],
]);

const IMAGE: StateTable = table([
  [0, 'INIT', 'init'],
  [1, 'READY', 'rdy'],
  [2, 'USED', 'used'],
  [3, 'DISABLED', 'disa'],
  [4, 'LOCKED', 'lock'],
  [5, 'ERROR', 'err'],
  [6, 'CLONE', 'clon'],
  [7, 'DELETE', 'dele'],
  [8, 'USED_PERS', 'used'],
  [9, 'LOCKED_USED', 'lock'],
  [10, 'LOCKED_USED_PERS', 'lock'],
]);

const DATASTORE: StateTable = table([
  [0, 'READY', 'on'],
  [1, 'DISABLED', 'off'],
]);

const HOST: StateTable = table([
  [0, 'INIT', 'init'],
  [1, 'MONITORING_MONITORED', 'update'],
  [2, 'MONITORED', 'on'],
  [3, 'ERROR', 'err'],
  [4, 'DISABLED', 'dsbl'],
  [5, 'MONITORING_ERROR', 'retry'],
  [6, 'MONITORING_INIT', 'init'],
  [7, 'MONITORING_DISABLED', 'dsbl'],
  [8, 'OFFLINE', 'off'],
]);

/** What a state table says, or the bare number of a state that came after this list. */
function nameIn(states: StateTable, state: number): StateName {
  return states.get(state) ?? { name: String(state), short: String(state) };
}

/** The two numbers that together say where a VM is. */
export interface VmStates {
  readonly state: number;
  readonly lcmState: number;
}

function vmEntry(vm: VmStates): StateName {
  return vm.state === VM_STATE.ACTIVE ? nameIn(LCM, vm.lcmState) : nameIn(VM, vm.state);
}

/** As oned names it in its messages: the LCM_STATE of an ACTIVE VM, else its STATE. */
export const vmStateName = (vm: VmStates): string => vmEntry(vm).name;
/** As `onevm list` prints it: runn, poff, … */
export const vmStateShortName = (vm: VmStates): string => vmEntry(vm).short;
export const imageStateName = (state: number): string => nameIn(IMAGE, state).name;
export const imageStateShortName = (state: number): string => nameIn(IMAGE, state).short;
export const datastoreStateName = (state: number): string => nameIn(DATASTORE, state).name;
export const datastoreStateShortName = (state: number): string => nameIn(DATASTORE, state).short;
export const hostStateName = (state: number): string => nameIn(HOST, state).name;
export const hostStateShortName = (state: number): string => nameIn(HOST, state).short;

export const VM_STATE = {
  INIT: 0,
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
export const LCM_STATE = { LCM_INIT: 0, RUNNING: 3, UNKNOWN: 16 } as const;
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
export const DATASTORE_TYPE = { IMAGE: 0, SYSTEM: 1, FILE: 2, BACKUP: 3 } as const;
export const HOST_STATE = { INIT: 0, MONITORED: 2, ERROR: 3, DISABLED: 4, OFFLINE: 8 } as const;

export const isRunning = (vm: VmStates): boolean => vm.state === VM_STATE.ACTIVE && vm.lcmState === LCM_STATE.RUNNING;
export const isPoweredOff = (vm: VmStates): boolean => vm.state === VM_STATE.POWEROFF;
export const isSuspended = (vm: VmStates): boolean => vm.state === VM_STATE.SUSPENDED;
export const isDone = (vm: VmStates): boolean => vm.state === VM_STATE.DONE;
export const isPending = (vm: VmStates): boolean => vm.state === VM_STATE.PENDING || vm.state === VM_STATE.HOLD;

/** A state that only an administrator ends (`onevm recover`, terminate). */
export function isFailed(vm: VmStates): boolean {
  return vmEntry(vm).short === 'fail';
}

/** At rest, with no operation under way: RUNNING, POWEROFF, SUSPENDED, STOPPED or UNDEPLOYED. Where every disk operation ends, also a failed one. */
export function isStable(vm: VmStates): boolean {
  if (isRunning(vm)) return true;
  const atRest: readonly number[] = [VM_STATE.POWEROFF, VM_STATE.SUSPENDED, VM_STATE.STOPPED, VM_STATE.UNDEPLOYED];
  return atRest.includes(vm.state);
}

/** On its way somewhere by itself. UNKNOWN counts: the host may report again; so does a state that this list does not know. */
export function isTransient(vm: VmStates): boolean {
  return !isStable(vm) && !isFailed(vm) && !isDone(vm) && !isPending(vm);
}
