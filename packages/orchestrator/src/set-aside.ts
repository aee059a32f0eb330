import { errorCode, serializeError } from '@onevault/base';
import type { CloudObject } from './cloud-object.ts';
import type { Step } from './open-steps.ts';
import type { ResidueStore } from './residue.ts';

/** OpenNebula does not answer: asking it for the next object would take as long and help nobody. */
const LOST: ReadonlySet<string> = new Set(['ONE_UNREACHABLE', 'ONE_TIMEOUT', 'ONE_HTTP_STATUS']);

export function isCloudLost(error: unknown): boolean {
  return LOST.has(errorCode(error) ?? '');
}

/** OpenNebula's last word on an object, which no second try a moment later will change: refused, accepted in vain, broken, or somebody else's by now. */
const FINAL: ReadonlySet<string> = new Set(['ONE_ACTION', 'JOB_EFFECT_MISSING', 'JOB_IMAGE_BROKEN', 'JOB_OBJECT_CHANGED']);

export function isFinal(error: unknown): boolean {
  return FINAL.has(errorCode(error) ?? '');
}

/** Things that lie about and hurt nobody. A VM that we stopped, say, is none: it is complained of until it runs. */
const MAY_STAY: ReadonlySet<string> = new Set(['snapshot', 'image', 'attachment', 'disk', 'template', 'vm'] satisfies CloudObject['kind'][]);

export interface Origin {
  readonly runId: string;
  readonly endpoint: string;
  readonly since: string;
}

/**
 * Notes as residue what a run could not take back, when none of it will change by trying again soon; answers whether it did. While a single step may still
 * succeed the others wait with it: an image that is refused because it is attached goes once the attachment has gone.
 */
export async function setAside(store: ResidueStore, origin: Origin, steps: readonly Step[]): Promise<boolean> {
  if (!steps.every(({ object, failure }) => MAY_STAY.has(object.kind) && isFinal(failure))) return false;
  for (const { number, object, id, failure } of steps) {
    const { code = 'INTERNAL', message } = serializeError(failure);
    await store.put({ key: `${origin.runId}-${number}`, ...origin, object, id, why: { code, message } });
  }
  return true;
}
