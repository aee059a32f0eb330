import type { DiskReader, Repository, RestorePoint } from '@onevault/backup-format';
import { type CallOptions, isAbort, serializeError } from '@onevault/base';
import type { DiskCapture } from './plan-model.ts';
import { diskKey } from './restore-point.ts';
import type { Run } from './run.ts';

/** What a disk is compared with, or why with nothing. Codes are stable: reports and manifests carry them. */
export type DiskParent =
  | { readonly mode: 'incremental'; readonly reason: 'PARENT_TRUSTED'; readonly reader: DiskReader }
  | {
      readonly mode: 'full';
      readonly reason:
        | 'FULL_REQUESTED'
        | 'NO_PARENT'
        | 'PARENT_HAS_NOT_THIS_DISK'
        | 'PARENT_IS_ANOTHER_DISK'
        | 'PARENT_INDEX_DAMAGED'
        | 'PARENT_SAMPLE_DAMAGED';
      readonly reader: undefined;
    };

/** Blocks of the parent that are read back and checked before its map is trusted. */
const SAMPLED_BLOCKS = 16;

/** The newest restore point of the group that can be read. Damaged ones on the way are reported: they are no parents. */
export async function newestPoint(run: Run, repository: Repository, group: string, options: CallOptions): Promise<RestorePoint | undefined> {
  let newest: RestorePoint | undefined;
  for await (const listed of repository.points({ group }, options)) {
    if (listed.kind === 'point') newest = listed.point;
    else run.warn('RESTORE_POINT_DAMAGED', `${listed.key}: ${listed.error.message}`);
  }
  return newest;
}

/** Decides for one disk whether the parent's digests can be trusted. Everything that speaks against it makes a full of this disk, with the reason. */
export async function parentOf(
  deps: { readonly repository: Repository; readonly randomBytes: (length: number) => Uint8Array },
  run: Run,
  point: RestorePoint | undefined,
  capture: DiskCapture,
  options: CallOptions,
): Promise<DiskParent> {
  if (point === undefined) return full('NO_PARENT');
  const key = diskKey(capture.disk);
  const stored = point.disks.find((disk) => disk.key === key);
  if (stored === undefined) return full('PARENT_HAS_NOT_THIS_DISK');
  if (stored.annotations['imageId'] !== capture.imageId) return full('PARENT_IS_ANOTHER_DISK');
  try {
    const reader = await deps.repository.openDisk(point, key, options);
    const sample = await reader.sample(SAMPLED_BLOCKS, () => random(deps.randomBytes), options);
    if (sample.damaged.length === 0) return { mode: 'incremental', reason: 'PARENT_TRUSTED', reader };
    await reader[Symbol.asyncDispose]();
    run.warn(
      'PARENT_SAMPLE_DAMAGED',
      `restore point ${point.id}, ${key}: ${sample.damaged.length} of ${sample.checked} sampled blocks cannot be read; the disk is read as a full`,
    );
    return full('PARENT_SAMPLE_DAMAGED');
  } catch (error) {
    if (isAbort(error)) throw error;
    run.warn('PARENT_INDEX_DAMAGED', `restore point ${point.id}, ${key}: ${serializeError(error).message}; the disk is read as a full`);
    return full('PARENT_INDEX_DAMAGED');
  }
}

export function full(reason: Extract<DiskParent, { mode: 'full' }>['reason']): DiskParent {
  return { mode: 'full', reason, reader: undefined };
}

/** A number in [0, 1) from 32 random bits. */
function random(randomBytes: (length: number) => Uint8Array): number {
  const bytes = randomBytes(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
}
