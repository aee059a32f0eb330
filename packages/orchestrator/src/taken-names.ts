import type { CallOptions } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import { JobError } from './errors.ts';

/** Image names are unique for each owner (ImagePool.cc). Refuses before anything is made what OpenNebula would refuse in the middle, for the user that makes the images and the one that gets them. */
export async function assertNamesFree(cloud: OneApi, names: readonly string[], owners: ReadonlySet<number>, options: CallOptions): Promise<void> {
  if (names.length === 0) return;
  const wanted = new Set(names);
  const taken: { readonly id: number; readonly name: string; readonly owner: string }[] = [];
  for await (const image of cloud.images(options)) {
    if (wanted.has(image.name) && owners.has(image.uid)) taken.push({ id: image.id, name: image.name, owner: image.userName });
  }
  if (taken.length === 0) return;
  throw new JobError({
    code: 'JOB_NAME_TAKEN',
    message: `an image of that name exists already: ${taken.map(({ id, name, owner }) => `'${name}' (image ${id} of ${owner})`).join(', ')}`,
    details: { images: taken.map(({ id }) => id) },
    hint: 'choose another --name, or a --suffix',
  });
}
