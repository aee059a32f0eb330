import { backupVm, restoreDisk, restoreVm, revertSnapshots } from '@onevault/orchestrator';
import type { MatrixOperation } from './crash-matrix.ts';

/** One disk after another: the same moments each time. */
export const backup: MatrixOperation = {
  name: 'backup',
  act: (world, deps, _attempt, options) => backupVm(deps, world.backupRequest({ parallelDisks: 1 }), options),
  product: { vms: 0, images: 0 },
};

export function restore(pointId: string): MatrixOperation {
  return {
    name: 'restore',
    act: (world, deps, attempt, options) => restoreVm(deps, world.restoreRequest(pointId, { name: `restored-${attempt}` }), options),
    product: { vms: 1, images: 1 },
  };
}

/** As above, by way of an empty image that is saved as the disk's. */
export function restoreBySaveAs(pointId: string): MatrixOperation {
  return {
    name: 'restore by saveas',
    act: (world, deps, attempt, options) => restoreVm(deps, world.restoreRequest(pointId, { name: `saved-${attempt}`, method: 'saveas' }), options),
    product: { vms: 1, images: 1 },
  };
}

/** Two disks at the same time, one by each method's way through OpenNebula's one operation at a time. */
export function restoreInParallel(pointId: string): MatrixOperation {
  return {
    name: 'restore of two disks at once',
    act: (world, deps, attempt, options) =>
      restoreVm(deps, world.restoreRequest(pointId, { name: `both-${attempt}`, method: 'saveas', parallelDisks: 2 }), options),
    product: { vms: 1, images: 2 },
    unordered: true,
  };
}

/** One disk, to a VM that keeps it. */
export function restoreToVm(pointId: string): MatrixOperation {
  return {
    name: 'restore of a disk to a VM',
    act: (world, deps, attempt, options) =>
      restoreDisk(deps, { pointId, diskId: 0, name: `disk-${attempt}`, verify: true, scanWorkers: 1, attachTo: { vmId: world.vm } }, options),
    product: { vms: 0, images: 1 },
  };
}

/** Of all disks, to the set called `target`. */
export const revert: MatrixOperation = {
  name: 'revert',
  act: (world, deps, _attempt, options) =>
    revertSnapshots(
      deps,
      { vmId: world.vm, reference: 'target', foreign: false, allowBranch: false, dropYounger: false, stop: { gracefulMs: 600_000, hard: true } },
      options,
    ),
  product: { vms: 0, images: 0 },
};
