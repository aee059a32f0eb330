import type { Assessment } from './assess-snapshot.ts';
import { type CaptureFacts, versionAtLeast } from './capture-facts.ts';
import type { Reason } from './plan-model.ts';
import { reason, said } from './reason.ts';

/** disksaveas -1 of a RUNNING VM: no snapshot, no chain, nothing left; but on some drivers a copy of many moments (opennebula.md sections 0 and f). */
export function assessLiveCopy(facts: CaptureFacts): Assessment {
  const frozen = facts.driver === 'ceph' && facts.systemDriver !== undefined;
  const blockCopy = BLOCK_COPY.has(facts.driver);
  return {
    impossible: said([torn(facts), notSupported(facts), notMeasured(facts)]),
    objections: frozen
      ? [
          reason(
            'LIVE_COPY_PAUSES_GUEST',
            'the guest is frozen, or suspended, while the whole disk is imported into Ceph',
            'power the VM off for the time of the backup, or accept the pause with --allow-long-freeze',
          ),
        ]
      : [],
    residue: [],
    pause: frozen ? 'whole-copy' : 'none',
    consistency: frozen && facts.guestAgent ? 'filesystem-consistent-if-agent' : 'crash-consistent',
    moment: blockCopy ? 'end' : 'start',
    assumptions: blockCopy
      ? [
          reason(
            'ASSUMED_BLOCKCOPY',
            'that the host can copy a running disk (virsh blockcopy); where it cannot, the guest is frozen or suspended for the whole copy',
          ),
        ]
      : [],
  };
}

/** TM/qcow2/cpds (and shared), TM/ssh/cpds, TM/local/cpds: `virsh blockcopy --wait --finish`, a copy of the moment it ends. */
const BLOCK_COPY: ReadonlySet<string> = new Set(['qcow2', 'shared', 'local', 'ssh']);

/** TM/ceph/cpds: a plain `rbd copy`; TM/fs_lvm/cpds, TM/fs_lvm_ssh/cpds: a plain `dd`; both of a volume that the guest writes to. */
function torn(facts: CaptureFacts): Reason | undefined {
  const plainCopy = facts.driver === 'fs_lvm' || facts.driver === 'fs_lvm_ssh' || (facts.driver === 'ceph' && facts.systemDriver === undefined);
  if (!plainCopy) return undefined;
  return reason(
    'LIVE_COPY_TORN',
    `${facts.driver} copies a running disk block by block while the guest writes: no file system survives that for sure`,
    'power the VM off for the time of the backup',
  );
}

/** TM/lvm/cpds takes a snapshot of its own for the copy, from 7.4 on; `local` came with 7.0. */
const COPIES_SINCE: Readonly<Record<string, readonly [major: number, minor: number]>> = { lvm: [7, 4], local: [7, 0] };

function notSupported(facts: CaptureFacts): Reason | undefined {
  const since = COPIES_SINCE[facts.driver];
  if (since === undefined || versionAtLeast(facts.version, ...since)) return undefined;
  return reason(
    'LIVE_COPY_NOT_SUPPORTED',
    `OpenNebula ${facts.version} has no driver ${facts.driver}; ${since.join('.')} and later have`,
    'power the VM off for the time of the backup',
  );
}

function notMeasured(facts: CaptureFacts): Reason | undefined {
  if (KNOWN.has(facts.driver)) return undefined;
  return reason(
    'LIVE_COPY_NOT_MEASURED',
    `nobody has measured what driver '${facts.driver}' does with a running disk`,
    'power the VM off for the time of the backup, or try --capture snapshot on a VM that may be lost',
  );
}

const KNOWN: ReadonlySet<string> = new Set([...BLOCK_COPY, 'ceph', 'fs_lvm', 'fs_lvm_ssh', 'lvm']);
