import type { Vm } from '@onevault/one-client';
import type { SwapReport } from '../report.ts';
import type { Run } from '../run.ts';
import type { Exchanged } from './exchange.ts';
import type { SwapNote } from './refusal.ts';

export interface SwapReportFacts {
  readonly action: SwapReport['action'];
  readonly exchanged: Exchanged;
  readonly vm: Vm;
  readonly notes: readonly SwapNote[];
  readonly startedMs: number;
}

/** What an exchange did, as far as it knows itself: where the new images came from is for the caller to add. */
export function swapReport(run: Run, { action, exchanged, vm, notes, startedMs }: SwapReportFacts): SwapReport {
  const { swap, downMs } = exchanged;
  return {
    kind: 'swap',
    action,
    runId: run.id,
    vmId: vm.id,
    vmName: vm.name,
    ...(swap.pointId !== undefined && { pointId: swap.pointId }),
    disks: swap.disks.map(({ target, diskId, next, back }) => {
      const now = exchanged.vm.disks.find((disk) => disk.target === target);
      return {
        target,
        diskId,
        newDiskId: now?.diskId ?? -1,
        imageId: next.imageId,
        undoImageId: back.imageId,
        method: 'undo',
        sizeMiB: now?.sizeMiB ?? 0,
        scannedBytes: 0,
        writtenBytes: 0,
        verified: false,
        snapshots: [],
      };
    }),
    ...(downMs !== undefined && { downMs }),
    undoUntil: swap.until,
    notes,
    warnings: run.warnings,
    durationMs: run.elapsedMs(startedMs),
    residue: run.residue,
  };
}
