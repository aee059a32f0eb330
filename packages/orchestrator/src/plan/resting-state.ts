import { isFailed, isStable, type VmStates, vmStateName } from '@onevault/one-client';

/** The states in which a VM's disks can be captured (opennebula.md section f). */
export const RESTING_STATES = ['RUNNING', 'POWEROFF', 'SUSPENDED', 'STOPPED', 'UNDEPLOYED'] as const;
export type RestingState = (typeof RESTING_STATES)[number];

/** Where a VM is: at rest; under way to rest; or where no waiting brings it back by itself. */
export type Standing =
  | { readonly kind: 'rest'; readonly state: RestingState }
  | { readonly kind: 'busy'; readonly name: string; readonly endsIn: RestingState }
  | { readonly kind: 'stuck'; readonly name: string; readonly failed: boolean };

/** What each transient LCM_STATE ends in when all goes well (include/VirtualMachine.h, LifeCycleStates.cc). Those that are not here end in no state a backup could use. */
const ENDS_IN: Readonly<Record<RestingState, readonly string[]>> = {
  RUNNING: [
    'PROLOG',
    'BOOT',
    'MIGRATE',
    'SAVE_MIGRATE',
    'PROLOG_MIGRATE',
    'PROLOG_RESUME',
    'CLEANUP_RESUBMIT',
    'HOTPLUG',
    'BOOT_UNKNOWN',
    'BOOT_POWEROFF',
    'BOOT_SUSPENDED',
    'BOOT_STOPPED',
    'HOTPLUG_SNAPSHOT',
    'HOTPLUG_NIC',
    'HOTPLUG_SAVEAS',
    'PROLOG_UNDEPLOY',
    'BOOT_UNDEPLOY',
    'BOOT_MIGRATE',
    'DISK_SNAPSHOT',
    'DISK_SNAPSHOT_DELETE',
    'PROLOG_MIGRATE_UNKNOWN',
    'DISK_RESIZE',
    'HOTPLUG_RESIZE',
    'BACKUP',
  ],
  POWEROFF: [
    'SHUTDOWN_POWEROFF',
    'HOTPLUG_SAVEAS_POWEROFF',
    'HOTPLUG_PROLOG_POWEROFF',
    'HOTPLUG_EPILOG_POWEROFF',
    'PROLOG_MIGRATE_POWEROFF',
    'DISK_SNAPSHOT_POWEROFF',
    'DISK_SNAPSHOT_REVERT_POWEROFF',
    'DISK_SNAPSHOT_DELETE_POWEROFF',
    'DISK_RESIZE_POWEROFF',
    'HOTPLUG_NIC_POWEROFF',
    'BACKUP_POWEROFF',
    'RESTORE',
  ],
  SUSPENDED: ['SAVE_SUSPEND', 'HOTPLUG_SAVEAS_SUSPENDED', 'PROLOG_MIGRATE_SUSPEND', 'DISK_SNAPSHOT_SUSPENDED', 'DISK_SNAPSHOT_DELETE_SUSPENDED'],
  STOPPED: ['SAVE_STOP', 'EPILOG_STOP', 'HOTPLUG_SAVEAS_STOPPED'],
  UNDEPLOYED: ['SHUTDOWN_UNDEPLOY', 'EPILOG_UNDEPLOY', 'HOTPLUG_SAVEAS_UNDEPLOYED', 'DISK_RESIZE_UNDEPLOYED'],
};

export function standingOf(vm: VmStates): Standing {
  const name = vmStateName(vm);
  const resting = RESTING_STATES.find((state) => state === name);
  if (resting !== undefined && isStable(vm)) return { kind: 'rest', state: resting };
  const endsIn = RESTING_STATES.find((state) => ENDS_IN[state].includes(name));
  return endsIn === undefined ? { kind: 'stuck', name, failed: isFailed(vm) } : { kind: 'busy', name, endsIn };
}

/** States that a driver's answer ends, and that `onevm recover` can end in its place (RequestManagerVirtualMachine.cc, recover). */
const RECOVERABLE = /^(HOTPLUG|DISK_SNAPSHOT|DISK_RESIZE|PROLOG|EPILOG|BOOT|MIGRATE|SAVE|SHUTDOWN|BACKUP|RESTORE|CLEANUP)/;

/** What somebody can do about a VM that stays in a transient state; an administrator's job. */
export function recoverHint(vmId: number, stateName: string): string {
  const look = `see /var/log/one/${vmId}.log on the front-end for what holds it`;
  if (!RECOVERABLE.test(stateName)) return look;
  return `${look}; if its driver is dead, \`onevm recover --failure ${vmId}\` ends ${stateName} as failed (the host's state may then differ: look there first)`;
}
