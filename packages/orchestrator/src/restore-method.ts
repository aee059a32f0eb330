import type { Datastore } from '@onevault/one-client';
import type { RestoreMethod } from './request.ts';

/** How a disk is brought into its image, and why so. */
export interface MethodVerdict {
  readonly method: 'direct' | 'saveas';
  readonly why: string;
}

/** Something the datastore cannot do at all, in words. */
export interface MethodRefusal {
  readonly refused: string;
}

export interface MethodQuestion {
  readonly wish: RestoreMethod;
  readonly datastore: Pick<Datastore, 'tmMad' | 'dsMad' | 'name'>;
  /** Whether the image is to be persistent in the end. */
  readonly persistent: boolean;
}

/** Their cpds answers "Operation not supported" (src/tm_mad/{dev,iscsi_libvirt}/cpds): no disk of theirs can be saved. */
const NO_SAVEAS: ReadonlySet<string> = new Set(['dev', 'iscsi_libvirt']);
/** They register what exists and make nothing (src/datastore_mad/remotes/{dev,iscsi_libvirt}/mkfs). */
const NO_EMPTY_IMAGE: ReadonlySet<string> = new Set(['dev', 'iscsi_libvirt']);
/** "lvm datastores doesn't support change of image persistency." (ImageManagerActions.cc): made persistent, an image stays so. */
const PERSISTENCE_FIXED: ReadonlySet<string> = new Set(['lvm']);

/**
 * The table of ADR 51. direct wherever it works: on drivers that share storage (qcow2, shared, ceph, lvm) the proxy writes the image itself and nothing is
 * copied; on those that copy (ssh, local, fs_lvm, fs_lvm_ssh) the detach brings the disk home, once, where saveas copies it beside the disk first.
 */
export function chooseMethod({ wish, datastore, persistent }: MethodQuestion): MethodVerdict | MethodRefusal {
  const { tmMad, dsMad } = datastore;
  if (NO_EMPTY_IMAGE.has(tmMad)) return { refused: `driver ${tmMad} cannot make an empty image` };
  const fixed = PERSISTENCE_FIXED.has(dsMad) && !persistent;
  if (wish === 'saveas') return NO_SAVEAS.has(tmMad) ? { refused: `driver ${tmMad} cannot save a disk as an image` } : { method: 'saveas', why: 'asked for' };
  if (wish === 'direct') {
    return fixed ? { refused: `driver ${dsMad} cannot make a persistent image non-persistent again` } : { method: 'direct', why: 'asked for' };
  }
  if (fixed) return { method: 'saveas', why: `driver ${dsMad} cannot make a persistent image non-persistent again` };
  return { method: 'direct', why: 'the image is written itself, without a second copy' };
}
