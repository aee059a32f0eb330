import { type CaptureFacts, hasOverlays, versionAtLeast } from './capture-facts.ts';
import type { Consistency, GuestPause, Reason } from './plan-model.ts';
import { reason, said } from './reason.ts';

/** What one way of capturing a running disk would be like. */
export interface Assessment {
  /** Why it cannot be done. */
  readonly impossible: readonly Reason[];
  /** Why it should not be done unless somebody asks for it. */
  readonly objections: readonly Reason[];
  readonly residue: readonly string[];
  readonly pause: GuestPause;
  readonly consistency: Consistency;
  readonly moment: 'start' | 'end';
  readonly assumptions: readonly Reason[];
}

/** A disk snapshot of a RUNNING VM, saved as an image and deleted again (opennebula.md sections 0, M.1, e and f). */
export function assessSnapshot(facts: CaptureFacts): Assessment {
  const stays = staysForEver(facts);
  return {
    impossible: said([refusedByNative(facts), notSupported(facts), withoutAgent(facts), unreadable(facts)]),
    objections: said([
      stays,
      pausesGuest(facts),
      copiesTwice(facts),
      branches(facts),
      idIsShared(facts),
      numberingDrifted(facts),
      unusualOrphans(facts),
      notMeasured(facts),
    ]),
    residue: stays === undefined ? [] : [stays.text],
    pause: pauseOf(facts),
    consistency: consistencyOf(facts),
    moment: isBlockCopy(facts) ? 'end' : 'start',
    assumptions: said([
      facts.driver === 'fs_lvm_ssh' ? reason('ASSUMED_AGENT_ANSWERS', 'that its guest agent answers: without it the driver refuses the snapshot') : undefined,
    ]),
  };
}

/** RequestManagerVirtualMachine.cc, disksnapshotcreate: whatever the driver. */
function refusedByNative(facts: CaptureFacts): Reason | undefined {
  if (!facts.nativeIncremental) return undefined;
  return reason(
    'SNAPSHOT_REFUSED_BY_NATIVE_INCREMENTAL',
    "OpenNebula's own incremental backup is on for this VM and refuses disk snapshots",
    'set BACKUP_CONFIG MODE=FULL (onevm updateconf), or leave the VM to OpenNebula: the two cannot be mixed on one VM',
  );
}

/** The first version whose LIVE_DISK_SNAPSHOTS (vmm_execrc) and scripts let a running disk be snapshotted. */
const LIVE_SINCE: Readonly<Record<string, readonly [major: number, minor: number]>> = {
  qcow2: [6, 0],
  shared: [6, 0],
  ceph: [6, 0],
  ssh: [6, 0],
  local: [7, 0],
  fs_lvm_ssh: [7, 0],
  lvm: [7, 4],
  netapp: [7, 0],
  purefa: [7, 2],
};
const POWER_OFF = 'power the VM off for the time of the backup';

function notSupported(facts: CaptureFacts): Reason | undefined {
  const { driver, version } = facts;
  const no = (text: string, remedy: string): Reason => reason('SNAPSHOT_NOT_SUPPORTED', text, remedy);
  if (driver === 'fs_lvm') return no('fs_lvm has no disk snapshots', `${POWER_OFF}, or move the disk to a datastore of fs_lvm_ssh with LVM_THIN_ENABLE`);
  if (driver === 'fs_lvm_ssh' && !facts.thin)
    return no('fs_lvm_ssh has disk snapshots only on thin volumes', `${POWER_OFF}, or use a datastore with LVM_THIN_ENABLE=YES (7.0 and later)`);
  if (driver === 'ceph' && facts.systemDriver !== undefined)
    return no(
      `of a Ceph image on a system datastore of driver ${facts.systemDriver} there are no snapshots`,
      `${POWER_OFF}, or run the VM on a system datastore of driver ceph`,
    );
  const since = LIVE_SINCE[driver];
  if (since === undefined || versionAtLeast(version, ...since)) return undefined;
  return no(`OpenNebula ${version} cannot take snapshots of running disks on driver ${driver}; ${since.join('.')} and later can`, POWER_OFF);
}

/** TM/fs_lvm_ssh/snap_create_live: "Unable to freeze VM; aborting". */
function withoutAgent(facts: CaptureFacts): Reason | undefined {
  if (facts.driver !== 'fs_lvm_ssh' || facts.guestAgent) return undefined;
  return reason(
    'SNAPSHOT_NEEDS_GUEST_AGENT',
    'fs_lvm_ssh takes a snapshot only of file systems that a guest agent has frozen, and this VM has no channel for one',
    `install qemu-guest-agent in the guest and set FEATURES=[GUEST_AGENT="yes"] (onevm updateconf, then power it off and on); or ${POWER_OFF}`,
  );
}

/** TM/local/cpds converts only what is a symlink: a snapshot that has a parent is copied as a bare overlay, whose backing file is not there (M.1). */
function unreadable(facts: CaptureFacts): Reason | undefined {
  if (facts.driver !== 'local' || !hasOverlays(facts) || facts.snapshots.count === 0) return undefined;
  return reason(
    'SNAPSHOT_UNREADABLE',
    'on local, the image saved from a snapshot that has a parent cannot be read',
    'let the disk be copied live (--capture auto), or delete its other snapshots',
  );
}

/** src/vm/Snapshots.cc, test_delete; and for `local` what was measured (M.1). */
function staysForEver(facts: CaptureFacts): Reason | undefined {
  const denies = facts.orphans === 'NO' || facts.orphans === 'LINEAR';
  if (denies && facts.persistent && facts.snapshots.next === 0) {
    const remedy = hasOverlays(facts)
      ? 'let the disk be copied live (--capture auto)'
      : 'set ALLOW_ORPHANS on its datastore (mixed for Ceph, yes for LVM) and attach the disk anew';
    return reason('SNAPSHOT_STAYS', 'the first snapshot of a persistent disk can never be deleted, by nobody', remedy);
  }
  if (facts.driver === 'local' && hasOverlays(facts))
    return reason(
      'SNAPSHOT_STAYS',
      'on local, the deletion of the only snapshot of a running disk is accepted and then fails',
      'let the disk be copied live (--capture auto)',
    );
  return undefined;
}

/** TM/qcow2/snap_create_live, FORMAT raw: `cp` of the whole disk between freeze (or suspend) and thaw. */
function pausesGuest(facts: CaptureFacts): Reason | undefined {
  if (pauseOf(facts) !== 'whole-copy') return undefined;
  return reason(
    'SNAPSHOT_PAUSES_GUEST',
    'a snapshot of a raw file makes the guest stand still while the whole disk is copied',
    'let the disk be copied live (--capture auto)',
  );
}

/** `virsh blockcopy` of the whole disk: TM/ssh/snap_create_live; TM/local for raw. */
function isBlockCopy(facts: CaptureFacts): boolean {
  return facts.driver === 'ssh' || (facts.driver === 'local' && facts.format !== 'qcow2');
}

function copiesTwice(facts: CaptureFacts): Reason | undefined {
  if (!isBlockCopy(facts)) return undefined;
  return reason('SNAPSHOT_COPIES_TWICE', `a snapshot on ${facts.driver} is a full copy, and saving it a second one`);
}

function branches(facts: CaptureFacts): Reason | undefined {
  if (!hasOverlays(facts) || !facts.snapshots.branches) return undefined;
  return reason('SNAPSHOT_TREE_BRANCHES', 'its snapshots branch: one more would be merged in the middle of somebody’s tree');
}

/** TM/qcow2/snap_delete, TM/lib/tm_action.rb: whether a snapshot is active is looked up by its id alone, over all disks of the VM; the wrong answer breaks the chain. */
function idIsShared(facts: CaptureFacts): Reason | undefined {
  if (!hasOverlays(facts) || !facts.snapshots.idIsShared) return undefined;
  return reason(
    'SNAPSHOT_ID_SHARED',
    `another disk of the VM has a snapshot ${facts.snapshots.next}: OpenNebula's driver would take the one for the other when it deletes ours`,
    'delete the other disk’s snapshot, if nobody needs it',
  );
}

function numberingDrifted(facts: CaptureFacts): Reason | undefined {
  if (!hasOverlays(facts) || !facts.snapshots.failedBefore) return undefined;
  return reason(
    'SNAPSHOT_NUMBERING_DRIFT',
    'a snapshot of this VM failed before (USER_TEMPLATE/ERROR): the next one may refer to a file that does not exist',
    'look at the files of the disk; when they are right, remove ERROR from the user template',
  );
}

function unusualOrphans(facts: CaptureFacts): Reason | undefined {
  if (!hasOverlays(facts) || facts.orphans === 'NO') return undefined;
  return reason('SNAPSHOT_ORPHAN_MODE', `ALLOW_ORPHANS is ${facts.orphans} for a qcow2 file: nobody has measured what becomes of its chain`);
}

function notMeasured(facts: CaptureFacts): Reason | undefined {
  const no = (what: string): Reason =>
    reason('SNAPSHOT_NOT_MEASURED', `nobody has measured what a snapshot is like on ${what}`, 'try it on a VM that may be lost: --capture snapshot');
  if (facts.systemDriver !== undefined && facts.driver !== 'ceph') return no(`driver ${facts.driver} with a system datastore of driver ${facts.systemDriver}`);
  if (!MEASURED.has(facts.driver)) return no(`driver '${facts.driver}'`);
  if (hasOverlays(facts) && !versionAtLeast(facts.version, 6, 8)) return no(`OpenNebula ${facts.version}, which deletes no active snapshot`);
  return undefined;
}

/** Measured, or read in the scripts. */
const MEASURED: ReadonlySet<string> = new Set(['qcow2', 'shared', 'local', 'ssh', 'ceph', 'fs_lvm', 'fs_lvm_ssh', 'lvm']);

function pauseOf(facts: CaptureFacts): GuestPause {
  switch (facts.driver) {
    case 'qcow2':
    case 'shared':
      return facts.format === 'qcow2' ? 'moment' : 'whole-copy';
    case 'ceph':
      return facts.guestAgent ? 'moment' : 'none';
    case 'local':
    case 'ssh':
    case 'lvm':
      return 'none';
    default:
      return 'moment';
  }
}

function consistencyOf(facts: CaptureFacts): Consistency {
  if (facts.driver === 'fs_lvm_ssh') return 'filesystem-consistent';
  const asksAgent = facts.driver === 'qcow2' || facts.driver === 'shared' || facts.driver === 'ceph';
  return asksAgent && facts.guestAgent ? 'filesystem-consistent-if-agent' : 'crash-consistent';
}
