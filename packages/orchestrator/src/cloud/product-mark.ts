import { imageId, type OneApi, vmId } from '@onevault/one-client';
import { PRODUCT_MARKS } from '../names.ts';
import type { Step } from '../open-steps.ts';
import { unlessGone } from './gone.ts';

/**
 * Says on a restored VM and its images that they are meant to stay. The VM first: as long as it uses an image nobody takes that for an orphan. What is
 * gone by now needs no mark. Idempotent.
 */
export async function markRestored(cloud: OneApi, steps: readonly Step[]): Promise<void> {
  for (const { object, id } of steps) if (object.kind === 'vm' && id !== undefined) await unlessGone(cloud.updateVm(vmId(id), PRODUCT_MARKS));
  for (const { object, id } of steps) if (object.kind === 'image' && id !== undefined) await unlessGone(cloud.updateImage(imageId(id), PRODUCT_MARKS));
}
