import type { Disk, Vm } from '@onevault/one-client';

/**
 * How the snapshots of a disk hang together (src/vm/Snapshots.h). NO: a chain or tree, each on its parent. YES: each by itself. MIXED (Ceph): on what was
 * last reverted to. LINEAR: each by itself, and a revert drops the younger ones.
 */
export type OrphanMode = 'NO' | 'YES' | 'MIXED' | 'LINEAR';

/** As OpenNebula resolved it for this disk; for a disk without snapshots, as it will (VirtualMachineDisk.cc:50): FORMAT means YES for raw, NO for the rest. */
export function orphanMode(vm: Vm, disk: Disk): OrphanMode {
  const resolved = vm.snapshots.find((entry) => entry.diskId === disk.diskId)?.allowOrphans;
  const attribute = (resolved ?? disk.attributes['ALLOW_ORPHANS'] ?? 'NO').toUpperCase();
  if (attribute === 'FORMAT') return disk.format === 'raw' ? 'YES' : 'NO';
  return attribute === 'YES' || attribute === 'MIXED' || attribute === 'LINEAR' ? attribute : 'NO';
}
