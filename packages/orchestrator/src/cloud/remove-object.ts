import type { CloudObject } from '../cloud-object.ts';
import { kindOf, type UndoDeps } from './object-kinds.ts';

/** A call whose connection broke may still be under way in oned when nothing is found of it yet: so long later it is looked for again. */
const LATE_MS = 5_000;

/**
 * Takes away an object of ours, verifies that it is gone, and answers whether it was there. Found by the name it was given before it existed; without an
 * id nobody knows whether the call that makes it has arrived, so what is not there is looked for once more. Idempotent, not abortable.
 */
export async function removeObject(deps: UndoDeps, runId: string, object: CloudObject, id: number | undefined): Promise<boolean> {
  const kind = kindOf(object);
  if (await kind.remove(deps, runId, object, id)) return true;
  if (id !== undefined) return false;
  await deps.clock.sleep(LATE_MS);
  return kind.remove(deps, runId, object, undefined);
}
