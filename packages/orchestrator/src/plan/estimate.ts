import type { CaptureFacts } from './capture-facts.ts';
import type { CaptureEstimate, DiskCapture, DiskPlan } from './plan-model.ts';

const MIB = 1024 * 1024;

/** What storage is taken to copy in a second: what a 1 Gbit/s network carries, and a busy disk gives. Faster storage only makes the estimate better. */
export const COPY_BYTES_PER_SECOND = 100 * MIB;

/** One action of OpenNebula without its copying (opennebula.md M.2: 1.2 to 5 s). */
const ACTION_MS = 4_000;

/** domfsfreeze gives up after VIRSH_TIMEOUT, 60 s by default (TM/qcow2/snap_create_live). */
const FREEZE_MS = 60_000;

/** How often the driver moves the whole disk: while the VM waits for it, and when the proxy gets the copy (opennebula.md g.4). */
interface Copies {
  readonly snapshot: number;
  readonly save: number;
  readonly attach: number;
}

function copiesOf(facts: CaptureFacts, method: DiskCapture['method']): Copies {
  const overSsh = facts.driver === 'ssh' || facts.driver === 'local';
  const byHost = overSsh || facts.driver === 'fs_lvm' || facts.driver === 'fs_lvm_ssh' || facts.systemDriver !== undefined;
  const rawFile = (facts.driver === 'qcow2' || facts.driver === 'shared') && facts.format !== 'qcow2';
  return {
    snapshot: method === 'snapshot' && (rawFile || facts.driver === 'ssh' || (facts.driver === 'local' && facts.format !== 'qcow2')) ? 1 : 0,
    // A temporary file beside the disk, then through the network.
    save: overSsh && method === 'live-copy' ? 2 : 1,
    attach: byHost || rawFile ? 1 : 0,
  };
}

/** At most: what is empty is not copied by every driver, but nobody says so beforehand. */
export function estimateCapture(facts: CaptureFacts, capture: Pick<DiskCapture, 'method' | 'pause'>, sizeMiB: number): CaptureEstimate {
  const bytes = sizeMiB * MIB;
  const copies = copiesOf(facts, capture.method);
  const actions = capture.method === 'snapshot' ? 3 : 1;
  return {
    readBytes: bytes,
    copyBytes: (copies.snapshot + copies.save + copies.attach) * bytes,
    busyMs: actions * ACTION_MS + copyMs((copies.snapshot + copies.save) * bytes),
    pauseMs: capture.pause === 'none' ? 0 : capture.pause === 'moment' ? FREEZE_MS : copyMs(bytes),
  };
}

function copyMs(bytes: number): number {
  return Math.round((bytes / COPY_BYTES_PER_SECOND) * 1000);
}

/** One disk after another: OpenNebula does one thing at a time with a VM. */
export function totalEstimate(disks: readonly DiskPlan[]): CaptureEstimate {
  const total = { readBytes: 0, copyBytes: 0, busyMs: 0, pauseMs: 0 };
  for (const disk of disks) {
    if (disk.verdict !== 'capture') continue;
    total.readBytes += disk.estimate.readBytes;
    total.copyBytes += disk.estimate.copyBytes;
    total.busyMs += disk.estimate.busyMs;
    total.pauseMs += disk.estimate.pauseMs;
  }
  return total;
}
