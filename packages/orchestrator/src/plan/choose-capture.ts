import { assessLiveCopy } from './assess-live-copy.ts';
import { type Assessment, assessSnapshot } from './assess-snapshot.ts';
import { type CaptureFacts, hasOverlays } from './capture-facts.ts';
import type { CaptureChoice, CaptureFallback, CaptureMethod, DiskCapture, Reason } from './plan-model.ts';
import { asInformation, reason, said } from './reason.ts';

export interface CaptureWishes {
  readonly capture: CaptureChoice;
  readonly allowLongFreeze: boolean;
}

/** How a disk will be captured, as far as the driver decides; which disk, and whether there is room for it, is not asked here. */
export type Chosen = Pick<DiskCapture, 'method' | 'consistency' | 'pause' | 'moment' | 'fallback' | 'residue' | 'degraded' | 'reasons'> & {
  readonly assumptions: readonly Reason[];
};
export type CaptureVerdict = Chosen | { readonly refused: readonly Reason[] };

/** The table of docs/opennebula.md as code: which method a disk is captured by, or why by none. Pure; the same facts and wishes always give the same. */
export function chooseCapture(facts: CaptureFacts, wishes: CaptureWishes): CaptureVerdict {
  if (facts.driver === 'dev' || facts.driver === 'iscsi_libvirt') {
    return refuse(
      'REFUSE_DRIVER_NO_EXPORT',
      `driver ${facts.driver} cannot save a disk as an image`,
      'move the disk to a datastore of another driver, or leave it out with --exclude-disk',
    );
  }
  if (facts.state !== 'RUNNING') return atRest(facts);
  if (facts.readonly && wishes.capture !== 'offline') return neverWritten();
  switch (wishes.capture) {
    case 'auto':
      return automatic(facts, wishes);
    case 'snapshot':
      return demanded('snapshot', assessSnapshot(facts), facts, wishes);
    case 'live-copy':
      return demanded('live-copy', assessLiveCopy(facts), facts, wishes);
    case 'offline':
      return refuse(
        'REFUSE_VM_RUNS',
        'an offline copy was demanded, and the VM runs',
        'power the VM off yourself (onevm poweroff), or let the method be chosen (--capture auto): a backup never stops a VM',
      );
  }
}

/** A VM that does not run is saved as it lies: no snapshot, nothing to remove. Snapshots of a SUSPENDED VM would even harm it (section e.4). */
function atRest(facts: CaptureFacts): CaptureVerdict {
  const { state, driver } = facts;
  // TM/ceph/cpds.ssh: "Operation not supported on undeployed/stopped".
  if (driver === 'ceph' && facts.systemDriver !== undefined && (state === 'UNDEPLOYED' || state === 'STOPPED')) {
    const remedy = 'resume it or power it off on a host: in RUNNING, POWEROFF and SUSPENDED it can be saved';
    return refuse('REFUSE_DRIVER_STATE', `a Ceph image on a system datastore of driver ${facts.systemDriver} cannot be saved while the VM is ${state}`, remedy);
  }
  const asleep = state === 'SUSPENDED' || state === 'STOPPED';
  const unknown = !KNOWN_AT_REST.has(driver);
  return {
    method: 'offline',
    // What the guest had in memory when it was put to sleep is in its checkpoint, not on its disks.
    consistency: asleep ? 'crash-consistent' : 'offline',
    pause: 'none',
    moment: 'start',
    fallback: undefined,
    residue: [],
    degraded: unknown,
    reasons: said([
      reason('CAPTURE_OFFLINE', 'the VM does not run: its disk is saved as it lies'),
      asleep ? reason('GUEST_MEMORY_ELSEWHERE', `it is ${state}: what the guest had not written yet is in its checkpoint and not in the backup`) : undefined,
    ]),
    assumptions: unknown
      ? [reason('ASSUMED_DRIVER', `that driver '${driver}' saves a disk of a VM that does not run as it lies`, 'restore one such disk and look')]
      : [],
  };
}

const KNOWN_AT_REST: ReadonlySet<string> = new Set(['qcow2', 'shared', 'local', 'ssh', 'ceph', 'fs_lvm', 'fs_lvm_ssh', 'lvm']);

/** READONLY: OpenNebula refuses a snapshot of it, and a copy of what nobody writes is a copy of every moment. */
function neverWritten(): Chosen {
  return {
    method: 'live-copy',
    consistency: 'offline',
    pause: 'none',
    moment: 'start',
    fallback: undefined,
    residue: [],
    degraded: false,
    reasons: [reason('CAPTURE_READONLY', 'the guest cannot write to it: it is copied as it is')],
    assumptions: [],
  };
}

function automatic(facts: CaptureFacts, wishes: CaptureWishes): CaptureVerdict {
  const snapshot = assessSnapshot(facts);
  const copy = assessLiveCopy(facts);
  const against = [...snapshot.impossible, ...snapshot.objections];
  if (against.length === 0) {
    const why = [reason('CAPTURE_SNAPSHOT_CLEAN', 'a snapshot can be removed again without a trace')];
    const fallback = copy.impossible.length === 0 && copy.objections.length === 0 ? way('live-copy', copy) : undefined;
    return chosen('snapshot', snapshot, { reasons: [...why, ...snapshotNotes(facts)], fallback, degraded: false });
  }
  if (copy.impossible.length > 0) return { refused: [noMethod(facts), ...against, ...copy.impossible] };
  if (copy.pause === 'whole-copy' && !wishes.allowLongFreeze) return { refused: [longFreeze(), ...copy.objections, ...asInformation(against)] };
  const why = reason('CAPTURE_LIVE_COPY_CLEANER', 'the running disk is copied without a snapshot');
  return chosen('live-copy', copy, {
    reasons: [why, ...asInformation([...against, ...copy.objections])],
    fallback: undefined,
    degraded: copy.pause === 'whole-copy',
  });
}

/** As asked for, with all that speaks against it said; but neither what cannot be done nor, unless that too is asked for, a guest that stands still for long. */
function demanded(method: CaptureMethod, assessed: Assessment, facts: CaptureFacts, wishes: CaptureWishes): CaptureVerdict {
  if (assessed.impossible.length > 0) {
    const headline = reason('REFUSE_DEMANDED_METHOD', `a ${method} was demanded, and there can be none`, 'let the method be chosen: --capture auto');
    return { refused: [headline, ...assessed.impossible] };
  }
  if (assessed.pause === 'whole-copy' && !wishes.allowLongFreeze) return { refused: [longFreeze(), ...assessed.objections] };
  const notes = method === 'snapshot' ? snapshotNotes(facts) : [];
  const degraded = assessed.objections.some((objection) => objection.code !== 'SNAPSHOT_COPIES_TWICE');
  return chosen(method, assessed, {
    reasons: [reason('CAPTURE_DEMANDED', `a ${method} was demanded`), ...assessed.objections, ...notes],
    fallback: undefined,
    degraded,
  });
}

function chosen(method: CaptureMethod, assessed: Assessment, rest: Pick<Chosen, 'reasons' | 'fallback' | 'degraded'>): Chosen {
  return { ...way(method, assessed), residue: assessed.residue, assumptions: assessed.assumptions, ...rest };
}

function way(method: CaptureMethod, { consistency, pause, moment }: Assessment): CaptureFallback {
  return { method, consistency, pause, moment };
}

/** VirtualMachineDisk.cc, backup_increment: asks only whether the (then empty) element is there. */
function snapshotNotes(facts: CaptureFacts): Reason[] {
  if (!hasOverlays(facts) || facts.snapshots.listed) return [];
  return [
    reason('NATIVE_INCREMENTAL_BLOCKED', 'OpenNebula keeps an empty list of snapshots, and with it refuses to turn on its own incremental backup for this VM'),
  ];
}

function noMethod(facts: CaptureFacts): Reason {
  if (!KNOWN_AT_REST.has(facts.driver)) {
    const remedy = 'power the VM off for the time of the backup; --capture snapshot tries a snapshot all the same';
    return reason('REFUSE_DRIVER_UNKNOWN', `it is not known how driver '${facts.driver}' captures a running disk`, remedy);
  }
  return reason(
    'REFUSE_DRIVER_NO_CONSISTENT_METHOD',
    `on driver ${facts.driver} this running disk can be captured consistently by no method`,
    'power the VM off for the time of the backup',
  );
}

function longFreeze(): Reason {
  const remedy = 'power the VM off for the time of the backup, or accept the pause with --allow-long-freeze';
  return reason('REFUSE_LONG_FREEZE', 'the guest would stand still while the whole disk is copied', remedy);
}

function refuse(code: Reason['code'], text: string, remedy: string): CaptureVerdict {
  return { refused: [reason(code, text, remedy)] };
}

/** A disk whose snapshot was accepted and then failed, captured in the other way that its plan allows. */
export function fellBack(capture: DiskCapture, fallback: CaptureFallback, why: string): DiskCapture {
  const reasons = [reason('CAPTURE_FELL_BACK', `its snapshot failed (${why}): copied live instead`), ...asInformation(capture.reasons)];
  return { ...capture, ...fallback, fallback: undefined, degraded: true, reasons };
}
