import type { CallOptions, Clock } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import { isHalfWritten } from '../cloud/overwritten-image.ts';
import { listUndoSets } from '../in-place/undo-sets.ts';
import { RUN_MARK } from '../names.ts';
import { type Checked, ok, trouble } from './finding.ts';

/** Ways back that nobody wants any more, that are only half there, and images that somebody stopped writing over. */
export async function* checkExchanged(cloud: OneApi, clock: Clock, options: CallOptions): Checked {
  const sets = await listUndoSets(cloud, undefined, options);
  const nowMs = clock.now().getTime();
  for (const { set, vmId, until, complete, images } of sets) {
    const subject = `way back ${set} of VM ${vmId}`;
    const sizeMiB = images.reduce((sum, { image }) => sum + image.sizeMiB, 0);
    if (Date.parse(until) <= nowMs)
      yield trouble('leftovers', 'warning', 'UNDO_EXPIRED', subject, `it has expired ${until} and holds ${sizeMiB} MiB`, 'onevault undo prune removes it');
    else if (!complete)
      yield trouble(
        'leftovers',
        'warning',
        'UNDO_INCOMPLETE',
        subject,
        'an image of it is gone: one cannot go back to it',
        `onevault undo prune --discard ${set}`,
      );
  }
  let half = 0;
  for await (const image of cloud.images(options)) {
    if (!isHalfWritten(image) || image.vmIds.length > 0) continue;
    half++;
    const text = `run ${String(image.template[RUN_MARK])} was writing over it: it is neither what it was nor what it was to become`;
    yield trouble(
      'leftovers',
      'warning',
      'IMAGE_HALF_WRITTEN',
      `image ${image.id} ${image.name}`,
      text,
      `onevault delta again, with --image ${image.id}, finishes it`,
    );
  }
  if (half === 0 && sets.length > 0) yield ok('leftovers', 'UNDO_KEPT', 'ways back', `${sets.length} kept: onevault undo list`);
}
