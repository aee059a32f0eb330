import type { CallOptions } from '@onevault/base';
import { type Disk, snapshotId, type Vm } from '@onevault/one-client';
import { awaitSnapshot, requestSnapshot } from '../cloud/disk-snapshot.ts';
import { JobError } from '../errors.ts';
import type { DiskSnapshotReport } from '../report.ts';
import type { Owned, Run } from '../run.ts';
import { formatSetName } from './set-name.ts';
import { isQcow2Chain } from './snapshot-driver.ts';

/** A set as it grows; what is in it is the run's until it is kept. */
export interface SetInHand {
  readonly owned: Owned[];
  readonly disks: DiskSnapshotReport[];
  /** When the calls left, by the run's clock. */
  readonly takenMs: number[];
}

/** Takes one snapshot after another, as OpenNebula wants it, into `set`; each is verified before the next. What is taken when one fails is in `set`. */
export async function takeSet(run: Run, vm: Vm, disks: readonly Disk[], label: string | undefined, set: SetInHand, options: CallOptions): Promise<void> {
  const all = disks.map((disk) => disk.diskId).sort((a, b) => a - b);
  for (const disk of disks) {
    options.signal?.throwIfAborted();
    const name = formatSetName({ label, setId: run.id, vmId: vm.id, diskId: disk.diskId, disks: all });
    const startedMs = run.clock.monotonicMs();
    const owned = await run.step('snapshot', { diskId: disk.diskId, object: name }, () => takeOne(run, vm, disk, name, set, options));
    set.owned.push(owned);
    const { diskId, target } = disk;
    set.disks.push({ diskId, target, snapshotId: owned.id, snapshotName: name, durationMs: run.elapsedMs(startedMs) });
  }
}

async function takeOne(run: Run, vm: Vm, disk: Disk, name: string, set: SetInHand, options: CallOptions): Promise<Owned> {
  const planned = { vm, disk };
  try {
    return await run.create(
      { kind: 'snapshot', vmId: vm.id, diskId: disk.diskId, name, imageId: disk.imageId },
      (send) =>
        requestSnapshot(
          run.cloud,
          planned,
          name,
          (call) => {
            set.takenMs.push(run.clock.monotonicMs());
            return send(call);
          },
          options,
        ),
      (id) => awaitSnapshot(run.cloud, planned, snapshotId(id), options),
    );
  } catch (error) {
    if (error instanceof JobError && error.code === 'JOB_EFFECT_MISSING' && isQcow2Chain(disk)) run.warn('SNAPSHOT_IDS_DRIFTED', drifted(vm, disk));
    throw error;
  }
}

/** A failed create uses up an id, the files keep the old number (opennebula.md e.4, NEXT_SNAPSHOT drift). */
function drifted(vm: Vm, disk: Disk): string {
  return `disk ${disk.diskId} of VM ${vm.id}: OpenNebula counted the snapshot that failed, its storage driver did not; take no more snapshots of this disk before the VM was undeployed or its files were looked at`;
}
