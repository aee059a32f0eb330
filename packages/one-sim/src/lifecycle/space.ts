import type { Cloud } from '../cloud.ts';
import type { Image } from '../model/world-schema.ts';
import { DriverFailure } from './operation-handler.ts';

/** oned looks at what was monitored last (Datastore::get_avail_mb); the storage itself is full when it is full. Images are counted at their virtual size. */
export function refuseFullDatastore(cloud: Cloud, image: Image): void {
  const datastore = cloud.world.datastores.get(image.datastoreId);
  if (datastore && cloud.usage(datastore).overflowMiB > 0) throw new DriverFailure(`Error copying to ${datastore.name}: No space left on device`);
}
