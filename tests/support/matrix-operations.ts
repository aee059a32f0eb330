import { backupVm, restoreVm, revertSnapshots } from '@onevault/orchestrator';
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
