import { type CallOptions, errorCode, serializeError } from '@onevault/base';
import { IMAGE_STATE, type ImageId } from '@onevault/one-client';
import { unlessGone } from '../cloud/gone.ts';
import { type ControlDeps, DEFAULT_PATIENCE } from '../ports.ts';
import { isCloudLost } from '../set-aside.ts';
import { parseUndo, type UndoImage } from './undo-marks.ts';
import { listUndoSets, type UndoSet } from './undo-sets.ts';

export interface PruneUndoRequest {
  readonly vmId?: number;
  /** This set, expired or not. */
  readonly discard?: string;
  readonly dryRun: boolean;
}

export interface PrunedUndo {
  readonly set: UndoSet;
  /** expired and discarded go; kept stay. */
  readonly verdict: 'expired' | 'discarded' | 'kept';
  readonly images: readonly PrunedUndoImage[];
}

export interface PrunedUndoImage {
  readonly imageId: number;
  readonly name: string;
  readonly target: string;
  /** changed: it says something else by now. in-use: a VM has it. planned: it would go. */
  readonly outcome: 'removed' | 'gone' | 'changed' | 'in-use' | 'failed' | 'planned' | 'kept';
  readonly error?: { readonly code?: string; readonly message: string };
}

/**
 * Removes ways back that nobody wants any more: those that have expired, or one by name. Each image is judged once more by what it says right before it goes;
 * one that was renamed, marked otherwise or attached anywhere is left alone. Killed in between, it goes on when it is called again.
 */
export async function pruneUndo(deps: ControlDeps, request: PruneUndoRequest, options: CallOptions = {}): Promise<PrunedUndo[]> {
  const nowMs = deps.clock.now().getTime();
  const pruned: PrunedUndo[] = [];
  for (const set of await listUndoSets(deps.cloud, request.vmId, options)) {
    const verdict = verdictOn(set, request, nowMs);
    const images: PrunedUndoImage[] = [];
    for (const undo of set.images) {
      options.signal?.throwIfAborted();
      const facts = { imageId: undo.image.id, name: undo.image.name, target: undo.target };
      images.push({ ...facts, ...(verdict === 'kept' ? { outcome: 'kept' } : request.dryRun ? { outcome: 'planned' } : await remove(deps, undo)) });
    }
    pruned.push({ set, verdict, images });
  }
  return pruned;
}

function verdictOn(set: UndoSet, { discard }: PruneUndoRequest, nowMs: number): PrunedUndo['verdict'] {
  if (discard !== undefined) return set.set.startsWith(discard) ? 'discarded' : 'kept';
  return Date.parse(set.until) <= nowMs ? 'expired' : 'kept';
}

async function remove(deps: ControlDeps, undo: UndoImage): Promise<Pick<PrunedUndoImage, 'outcome' | 'error'>> {
  try {
    return { outcome: await removeOnce(deps, undo.image.id, undo.set) };
  } catch (error) {
    if (isCloudLost(error)) throw error;
    const { message } = serializeError(error);
    const code = errorCode(error);
    return { outcome: 'failed', error: { message, ...(code !== undefined && { code }) } };
  }
}

async function removeOnce(deps: ControlDeps, id: ImageId, set: string): Promise<PrunedUndoImage['outcome']> {
  const image = await unlessGone(deps.cloud.image(id));
  if (image === undefined) return 'gone';
  if (parseUndo(image)?.set !== set) return 'changed';
  if (image.vmIds.length > 0) return 'in-use';
  await unlessGone(deps.cloud.deleteImage(id));
  const { actionMs } = deps.patience ?? DEFAULT_PATIENCE;
  const left = await deps.cloud.waitForImage(id, (now) => (now?.state === IMAGE_STATE.DELETE ? 'wait' : 'done'), {
    timeoutMs: actionMs,
    what: `image ${id} to be deleted`,
  });
  return left === undefined ? 'removed' : 'failed';
}
