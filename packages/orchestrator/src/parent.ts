import type { DiskReader, Repository, RestorePoint } from '@onevault/backup-format';
import { type CallOptions, errorCode, serializeError } from '@onevault/base';
import type { DiskId } from '@onevault/one-client';
import type { DiskCapture } from './plan/plan-model.ts';
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
        | 'PARENT_MANIFEST_DAMAGED'
        | 'PARENT_HAS_NOT_THIS_DISK'
        | 'PARENT_IS_ANOTHER_DISK'
        | 'PARENT_HAS_OTHER_BLOCKS'
        | 'PARENT_INDEX_DAMAGED'
        | 'PARENT_SAMPLE_DAMAGED';
      readonly reader: undefined;
    };

/** Blocks of the parent that are read back and checked before its map is trusted. */
const SAMPLED_BLOCKS = 16;

/** What each disk of a run is compared with. */
export interface Parents {
  readonly mode: 'full' | 'incremental';
  /** The point whose digests are trusted for at least one disk. */
  readonly point: RestorePoint | undefined;
  of(capture: DiskCapture): DiskParent;
}

export interface ParentsRequest {
  readonly mode: 'auto' | 'full';
  readonly group: string;
  readonly captures: readonly DiskCapture[];
}

/** Decides for every disk whether it is compared with the newest readable point of the group. */
export async function chooseParents(deps: ParentDeps, run: Run, request: ParentsRequest, options: CallOptions): Promise<Parents> {
  const newest = request.mode === 'full' ? { point: undefined, none: full('FULL_REQUESTED') } : await newestPoint(run, deps.repository, request.group, options);
  const chosen = new Map<DiskId, DiskParent>();
  for (const capture of request.captures) {
    const parent = newest.point === undefined ? newest.none : await parentOf(deps, run, newest.point, capture, options);
    chosen.set(capture.disk.diskId, parent);
  }
  const mode = [...chosen.values()].some((parent) => parent.mode === 'incremental') ? 'incremental' : 'full';
  return { mode, point: mode === 'incremental' ? newest.point : undefined, of: (capture) => chosen.get(capture.disk.diskId) ?? newest.none };
}

interface ParentDeps {
  readonly repository: Repository;
  readonly randomBytes: (length: number) => Uint8Array;
}

type Newest = { readonly point: RestorePoint | undefined; readonly none: DiskParent };

/** The newest restore point of the group that can be read. Damaged ones on the way are reported, however many in one warning: they are no parents. */
async function newestPoint(run: Run, repository: Repository, group: string, options: CallOptions): Promise<Newest> {
  let newest: RestorePoint | undefined;
  let damaged = 0;
  let example = '';
  for await (const listed of repository.points({ group }, options)) {
    if (listed.kind === 'point') newest = listed.point;
    else {
      damaged++;
      example = `${listed.key}: ${listed.error.message}`;
    }
  }
  if (damaged > 0) run.warn('RESTORE_POINT_DAMAGED', `${damaged} of this VM's restore points cannot be read, the last of them ${example}`);
  return { point: newest, none: full(damaged > 0 ? 'PARENT_MANIFEST_DAMAGED' : 'NO_PARENT') };
}

/** Decides for one disk whether the parent's digests can be trusted. Everything that speaks against it makes a full of this disk, with the reason. */
async function parentOf(deps: ParentDeps, run: Run, point: RestorePoint, capture: DiskCapture, options: CallOptions): Promise<DiskParent> {
  const key = diskKey(capture.disk);
  const stored = point.disks.find((disk) => disk.key === key);
  if (stored === undefined) return full('PARENT_HAS_NOT_THIS_DISK');
  if (stored.annotations['imageId'] !== capture.imageId) return full('PARENT_IS_ANOTHER_DISK');
  if (stored.blockSizeBytes !== deps.repository.config.blockSizeBytes) return full('PARENT_HAS_OTHER_BLOCKS');
  const reader = await deps.repository.openDisk(point, key, options);
  run.use(reader);
  try {
    const sample = await reader.sample(SAMPLED_BLOCKS, () => random(deps.randomBytes), options);
    if (sample.damaged.length === 0) return { mode: 'incremental', reason: 'PARENT_TRUSTED', reader };
    const found = `${sample.damaged.length} of ${sample.checked} sampled blocks cannot be read`;
    run.warn('PARENT_SAMPLE_DAMAGED', `restore point ${point.id}, ${key}: ${found}; the disk is read as a full`);
    await readThrough(run, reader, capture, options);
    return full('PARENT_SAMPLE_DAMAGED');
  } catch (error) {
    if (!isRepositoryFailure(error)) throw error;
    run.warn('PARENT_INDEX_DAMAGED', `restore point ${point.id}, ${key}: ${serializeError(error).message}; the disk is read as a full`);
    await readThrough(run, reader, capture, options);
    return full('PARENT_INDEX_DAMAGED');
  }
}

/** Damage in a row without a readable block between: the rest hangs on a page that is gone. */
const GIVE_UP_AFTER = 16;

/**
 * Where there is some damage there is more: reads all of the parent's disk that can be read. The repository remembers each chunk that turns out to be
 * damaged and does not count it as stored, so the full that follows stores it anew instead of pointing one more restore point at it.
 */
async function readThrough(run: Run, reader: DiskReader, capture: DiskCapture, options: CallOptions): Promise<void> {
  const { blockCount } = reader.grid;
  await run.step('check-parent', { diskId: capture.disk.diskId }, async () => {
    for (let next = 0, failures = 0; next < blockCount && failures < GIVE_UP_AFTER; ) {
      const damaged = await readUntilDamage(reader, next, options);
      failures = damaged === next ? failures + 1 : 1;
      next = damaged + 1;
    }
  });
}

/** The first block from `from` on that cannot be read; the number of blocks when there is none. */
async function readUntilDamage(reader: DiskReader, from: number, options: CallOptions): Promise<number> {
  let next = from;
  try {
    for await (const run of reader.blocks({ ...options, from })) {
      const end = run.offset + (run.kind === 'data' ? run.data.length : run.length);
      next = Math.ceil(end / reader.grid.blockSizeBytes);
    }
    return reader.grid.blockCount;
  } catch (error) {
    if (!isRepositoryFailure(error)) throw error;
    return next;
  }
}

function isRepositoryFailure(error: unknown): boolean {
  return errorCode(error)?.startsWith('REPO_') === true;
}

function full(reason: Extract<DiskParent, { mode: 'full' }>['reason']): DiskParent {
  return { mode: 'full', reason, reader: undefined };
}

/** A number in [0, 1) from 32 random bits. */
function random(randomBytes: (length: number) => Uint8Array): number {
  const bytes = randomBytes(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32;
}
