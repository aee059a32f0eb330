import type { Disk, Vm } from '@onevault/one-client';
import type { CaptureMethod, Consistency, Reason } from './plan-model.ts';

/** What a storage driver gives us for one disk, before the user's wishes are asked. */
export interface MethodChoice {
  readonly method: CaptureMethod;
  readonly consistency: Consistency;
  readonly residue: readonly string[];
  readonly degraded: boolean;
  readonly reasons: readonly Reason[];
}

export type MethodVerdict = MethodChoice | { readonly refused: readonly Reason[] };

/**
 * How a disk of a RUNNING VM is captured, by storage driver: the table of section 0 of our OpenNebula notes as code, with the measured section M on top.
 * `native` says that OpenNebula's own incremental backup is on, which refuses every disk snapshot (RequestManagerVirtualMachine.cc, disksnapshotcreate).
 */
export function runningMethod(vm: Vm, disk: Disk, native: boolean): MethodVerdict {
  const driver = disk.tmMad ?? '';
  if (FILE_DRIVERS.has(driver)) return fileDriver(vm, disk, native);
  if (driver === 'ceph' || driver === 'lvm')
    return native ? refuse('REFUSE_NATIVE_INCREMENTAL', nativeText(driver)) : snapshot('crash-consistent', `${driver} snapshots are cheap and can be removed`);
  if (driver === 'fs_lvm_ssh' && disk.attributes['LVM_THIN_ENABLE'] === 'YES') {
    if (native) return refuse('REFUSE_NATIVE_INCREMENTAL', nativeText(driver));
    return {
      ...snapshot('filesystem-consistent-if-agent', 'thin snapshot'),
      reasons: [reason('SNAPSHOT_NEEDS_GUEST_AGENT', 'fs_lvm_ssh takes a live snapshot only when the guest agent can freeze the file systems')],
    };
  }
  if (driver === 'fs_lvm' || driver === 'fs_lvm_ssh') {
    return refuse('REFUSE_DRIVER_NO_CONSISTENT_METHOD', `${driver} has neither a live snapshot nor a consistent live copy; power the VM off to back it up`);
  }
  if (driver === 'dev' || driver === 'iscsi_libvirt') return refuse('REFUSE_DRIVER_NO_EXPORT', `${driver} cannot save a disk as an image`);
  return refuse(
    'REFUSE_DRIVER_UNKNOWN',
    `it is not known how storage driver '${driver}' captures a running disk; --capture snapshot tries a snapshot all the same`,
  );
}

/** A VM that does not run is saved as it lies: no snapshot, nothing to remove. */
export function offlineMethod(disk: Disk): MethodVerdict {
  if (disk.tmMad === 'dev' || disk.tmMad === 'iscsi_libvirt') return refuse('REFUSE_DRIVER_NO_EXPORT', `${disk.tmMad} cannot save a disk as an image`);
  return {
    method: 'offline',
    consistency: 'offline',
    residue: [],
    degraded: false,
    reasons: [reason('CAPTURE_OFFLINE', 'the VM does not run: its disk is saved as it lies')],
  };
}

/** What `--capture snapshot` does to a disk for which a snapshot was not the first choice: the same bytes, with the residue named. */
export function forcedSnapshot(vm: Vm, disk: Disk): MethodChoice {
  const residue = snapshotResidue(vm, disk);
  const paused = disk.format === 'raw' && FILE_DRIVERS.has(disk.tmMad ?? '');
  return {
    method: 'snapshot',
    consistency: 'crash-consistent',
    residue: residue === undefined ? [] : [residue],
    degraded: residue !== undefined || paused,
    reasons: [
      reason('CAPTURE_FORCED', 'a snapshot was asked for'),
      ...(residue === undefined ? [] : [reason('RESIDUE_SNAPSHOT_STAYS', residue)]),
      ...(paused ? [reason('GUEST_PAUSED_FOR_COPY', 'the guest stands still while the whole raw disk is copied')] : []),
    ],
  };
}

const FILE_DRIVERS: ReadonlySet<string> = new Set(['qcow2', 'shared', 'local', 'ssh']);

function fileDriver(vm: Vm, disk: Disk, native: boolean): MethodVerdict {
  if (native) return liveCopy("OpenNebula's incremental backup is on for this VM and refuses disk snapshots");
  if (disk.tmMad === 'ssh') return liveCopy('a snapshot on ssh is a full copy, and saving it a second one');
  if (disk.format !== 'qcow2') return liveCopy('a snapshot of a raw file stops the guest while the whole disk is copied');
  const residue = snapshotResidue(vm, disk);
  if (residue !== undefined) return liveCopy(residue);
  if (disk.tmMad === 'local' && hasSnapshots(vm, disk)) return liveCopy('on local, an image saved from a snapshot that has a parent cannot be read');
  return snapshot('crash-consistent', 'taken in seconds and removed without a trace');
}

/** Why the snapshot that this run would take could not be removed again (sections e.2 and M.1), or undefined. */
function snapshotResidue(vm: Vm, disk: Disk): string | undefined {
  if (disk.format !== 'qcow2' || !FILE_DRIVERS.has(disk.tmMad ?? '') || disk.tmMad === 'ssh') return undefined;
  const known = vm.snapshots.find((entry) => entry.diskId === disk.diskId);
  if (disk.persistent && (known === undefined || known.nextSnapshot === 0)) return 'the first snapshot of a persistent qcow2 disk can never be deleted';
  if (disk.tmMad === 'local' && (known?.snapshots.length ?? 0) === 0) return 'on local, deleting the only snapshot of a disk is accepted and then fails';
  return undefined;
}

function hasSnapshots(vm: Vm, disk: Disk): boolean {
  return vm.snapshots.some((entry) => entry.diskId === disk.diskId && entry.snapshots.length > 0);
}

function snapshot(consistency: Consistency, text: string): MethodChoice {
  return { method: 'snapshot', consistency, residue: [], degraded: false, reasons: [reason('CAPTURE_SNAPSHOT_CLEAN', text)] };
}

function liveCopy(text: string): MethodChoice {
  return { method: 'live-copy', consistency: 'crash-consistent', residue: [], degraded: false, reasons: [reason('CAPTURE_LIVE_COPY_CLEANER', text)] };
}

function nativeText(driver: string): string {
  return `OpenNebula's incremental backup is on for this VM: it refuses disk snapshots, and ${driver} has no consistent live copy. Set BACKUP_CONFIG MODE=FULL`;
}

export function reason(code: Reason['code'], text: string): Reason {
  return { code, text };
}

function refuse(code: Reason['code'], text: string): { readonly refused: readonly Reason[] } {
  return { refused: [reason(code, text)] };
}
