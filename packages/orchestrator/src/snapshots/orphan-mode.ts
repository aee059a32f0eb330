import type { Disk, Vm } from '@onevault/one-client';
import { orphanMode as inherited, type OrphanMode } from '../plan/capture-facts.ts';

/**
 * How the snapshots of a disk hang together (src/vm/Snapshots.h). NO: a chain or tree, each on its parent. YES: each by itself. MIXED (Ceph): on what was
 * last reverted to. LINEAR: each by itself, and a revert drops the younger ones. As OpenNebula resolved it for this disk; for a disk without snapshots, as it will.
 */
export function orphanMode(vm: Vm, disk: Disk): OrphanMode {
  const resolved = vm.snapshots.find((entry) => entry.diskId === disk.diskId)?.allowOrphans;
  return inherited(resolved ?? disk.attributes['ALLOW_ORPHANS'], disk.format ?? '');
}
