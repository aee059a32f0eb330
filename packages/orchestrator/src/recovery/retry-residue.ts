import { type CallOptions, type SerializedError, serializeError } from '@onevault/base';
import { kindOf, type UndoDeps } from '../cloud/object-kinds.ts';
import { whyNotRemovable } from '../cloud/why-not-removable.ts';
import { describeObject } from '../cloud-object.ts';
import type { Residue, ResidueStore } from '../residue.ts';
import { isCloudLost, isFinal } from '../set-aside.ts';

/** Something that had to stay, and how it stands now. */
export interface RetriedResidue extends Residue {
  readonly label: string;
  /** removed: by us, now. gone: somebody else removed it, or it went with what it belonged to. stays: `why` says what for. */
  readonly outcome: 'removed' | 'gone' | 'stays';
}

/**
 * Tries what had to stay again. Whether OpenNebula would let go of it now is read before it is asked: a deletion that is accepted and then fails makes the
 * guest's VM busy and leaves an error on it, and that must not happen at every run.
 */
export async function retryResidue(
  store: ResidueStore,
  deps: UndoDeps,
  options: CallOptions = {},
): Promise<{ readonly residue: readonly RetriedResidue[]; readonly cloudLost?: SerializedError }> {
  const retried: RetriedResidue[] = [];
  for await (const residue of store.list(options)) {
    if (residue.endpoint !== deps.cloud.endpoint.href) continue;
    try {
      const now = await retryOne(deps, residue);
      if (now.outcome !== 'stays') await store.forget(residue.key);
      else if (now.why.code !== residue.why.code) await store.put({ ...residue, why: now.why });
      retried.push(now);
    } catch (error) {
      if (isCloudLost(error)) return { residue: retried, cloudLost: serializeError(error) };
      retried.push({ ...residue, label: describeObject(residue.object, residue.id), outcome: 'stays', why: whyOf(error) });
    }
  }
  return { residue: retried };
}

async function retryOne(deps: UndoDeps, residue: Residue): Promise<RetriedResidue> {
  const { object, id, runId } = residue;
  const label = describeObject(object, id);
  const obstacle = await whyNotRemovable(deps.cloud, runId, object, id);
  if (obstacle !== undefined) return { ...residue, label, outcome: 'stays', why: obstacle };
  try {
    return { ...residue, label, outcome: (await kindOf(object).remove(deps, runId, object, id)) ? 'removed' : 'gone' };
  } catch (error) {
    if (!isFinal(error)) throw error;
    return { ...residue, label, outcome: 'stays', why: whyOf(error) };
  }
}

function whyOf(error: unknown): Residue['why'] {
  const { code = 'INTERNAL', message } = serializeError(error);
  return { code, message };
}
