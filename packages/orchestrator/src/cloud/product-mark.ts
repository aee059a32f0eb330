import { imageId, type OneApi, vmId } from '@onevault/one-client';
import { markSwapped } from '../in-place/undo-marks.ts';
import type { KeptAs } from '../journal.ts';
import { KEPT_MARKS, PRODUCT_MARKS } from '../names.ts';
import type { Step } from '../open-steps.ts';
import { unlessGone } from './gone.ts';

/**
 * Says on a restored VM and its images that they are meant to stay: whole, or as a failed run left them on demand. The VM first: as long as it uses an
 * image nobody takes that for an orphan. What is gone by now needs no mark. Idempotent.
 */
export async function markKept(cloud: OneApi, steps: readonly Step[], as: KeptAs): Promise<void> {
  const marks = as === 'whole' ? PRODUCT_MARKS : KEPT_MARKS;
  for (const { object, id } of steps) if (object.kind === 'vm' && id !== undefined) await unlessGone(cloud.updateVm(vmId(id), marks));
  for (const { object, id } of steps) if (object.kind === 'image' && id !== undefined) await unlessGone(cloud.updateImage(imageId(id), marks));
  // Last: they look at what the VM has, and at images that are marked above.
  for (const { object } of steps) if (object.kind === 'swap') await markSwapped(cloud, object);
}
