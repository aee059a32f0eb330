import { type DatastoreId, datastoreQuota, quotaLeft } from '@onevault/one-client';
import type { Surroundings } from '../plan/surroundings.ts';
import type { SwapRefusal } from './refusal.ts';

/** Images that will be made in one datastore. */
export interface WantedRoom {
  readonly datastore: DatastoreId;
  readonly sizeMiB: number;
}

/** What oned would refuse half-way, said before anything is done: virtual sizes against free space and the caller's quotas, all images together. */
export function roomRefusals(wanted: readonly WantedRoom[], surroundings: Surroundings): SwapRefusal[] {
  const ids = [...new Set(wanted.map(({ datastore }) => datastore))];
  return ids.flatMap((datastore) => {
    const sizes = wanted.filter((image) => image.datastore === datastore).map(({ sizeMiB }) => sizeMiB);
    const need = { datastore, images: sizes.length, sizeMiB: sizes.reduce((sum, size) => sum + size, 0) };
    return [...spaceRefusals(need, surroundings), ...quotaRefusals(need, surroundings)];
  });
}

interface Need {
  readonly datastore: DatastoreId;
  readonly images: number;
  readonly sizeMiB: number;
}

function spaceRefusals({ datastore: id, images, sizeMiB }: Need, { datastores }: Surroundings): SwapRefusal[] {
  const datastore = datastores?.find((entry) => entry.id === id);
  if (datastore === undefined || datastore.capacityCheck === false || sizeMiB <= datastore.availableMiB) return [];
  return [
    {
      code: 'RESTORE_NO_SPACE',
      text: `datastore ${id} '${datastore.name}' has ${datastore.availableMiB} MiB left, and ${images} images beside the old ones need ${sizeMiB} MiB`,
      remedy: 'make room there (onevault undo prune removes expired ways back), or restore fewer disks at a time',
    },
  ];
}

/** Those of uid 0 and of group 0 are not enforced (src/um/Quotas.cc). */
function quotaRefusals({ datastore: id, images, sizeMiB }: Need, { caller }: Surroundings): SwapRefusal[] {
  if (caller === undefined || caller.user.id === 0) return [];
  const whose = [
    { who: `user ${caller.user.name}`, quotas: caller.user.quotas },
    { who: `group ${caller.user.gid}`, quotas: caller.user.gid === 0 ? undefined : caller.groupQuotas },
  ];
  return whose.flatMap(({ who, quotas }) => {
    const quota = quotas && datastoreQuota(quotas, id);
    if (quota === undefined || (sizeMiB <= quotaLeft(quota.sizeMiB) && images <= quotaLeft(quota.images))) return [];
    const left = `${quotaLeft(quota.sizeMiB)} MiB and ${quotaLeft(quota.images)} images`;
    const text = `the quota of ${who} in datastore ${id} leaves ${left}; ${sizeMiB} MiB and ${images} images are needed`;
    return [{ code: 'RESTORE_QUOTA' as const, text, remedy: 'raise it (oneuser quota, onegroup quota), or restore fewer disks at a time' }];
  });
}
