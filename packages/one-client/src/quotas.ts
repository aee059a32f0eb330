import type { DatastoreId, ImageId, QuotaKind, QuotaRow, Quotas } from './model.ts';

/** One limit and what of it is used; `limit` undefined: unlimited. */
export interface Quota {
  readonly used: number;
  readonly limit: number | undefined;
}

/** What is left of it, Infinity where nothing limits it; negative where a limit was lowered below what is used. */
export function quotaLeft({ used, limit }: Quota): number {
  return limit === undefined ? Number.POSITIVE_INFINITY : limit - used;
}

/** Images (of all kinds, snapshots of persistent ones included) in one image datastore. */
export function datastoreQuota(quotas: Quotas, datastore: DatastoreId): { readonly sizeMiB: Quota; readonly images: Quota } {
  const rows = rowsOf(quotas, 'datastore', datastore);
  return { sizeMiB: quota(rows, 'SIZE'), images: quota(rows, 'IMAGES') };
}

/** How many VMs may use the image. */
export function imageQuota(quotas: Quotas, image: ImageId): Quota {
  return quota(rowsOf(quotas, 'image', image), 'RVMS');
}

/** How many addresses of the network may be leased. */
export function networkQuota(quotas: Quotas, network: number): Quota {
  return quota(rowsOf(quotas, 'network', network), 'LEASES');
}

export interface VmQuota {
  readonly vms: Quota;
  readonly runningVms: Quota;
  readonly cpu: Quota;
  readonly runningCpu: Quota;
  readonly memoryMiB: Quota;
  readonly runningMemoryMiB: Quota;
  /** Volatile disks, copies of non-persistent images, and the snapshots of both. */
  readonly systemDiskMiB: Quota;
}

/** For all VMs together: a quota of single clusters (7.2 and later) counts beside it, and is not looked at. */
export function vmQuota(quotas: Quotas): VmQuota {
  const rows = rowsOf(quotas, 'vm', undefined);
  return {
    vms: quota(rows, 'VMS'),
    runningVms: quota(rows, 'RUNNING_VMS'),
    cpu: quota(rows, 'CPU'),
    runningCpu: quota(rows, 'RUNNING_CPU'),
    memoryMiB: quota(rows, 'MEMORY'),
    runningMemoryMiB: quota(rows, 'RUNNING_MEMORY'),
    systemDiskMiB: quota(rows, 'SYSTEM_DISK_SIZE'),
  };
}

interface Rows {
  readonly own: QuotaRow | undefined;
  readonly fallback: QuotaRow | undefined;
}

function rowsOf(quotas: Quotas, kind: QuotaKind, id: number | undefined): Rows {
  const find = (rows: readonly QuotaRow[]): QuotaRow | undefined => rows.find((row) => row.id === id && row.clusterIds.length === 0);
  return { own: find(quotas.own[kind]), fallback: find(quotas.defaults[kind]) };
}

const DEFAULT = -1;
const UNLIMITED = -2;

/** As src/um/Quota.cc, check_quota: a limit of -1, or none at all, is the default's; without a default there is no limit. */
function quota({ own, fallback }: Rows, metric: string): Quota {
  const ownLimit = own?.limits[metric] ?? DEFAULT;
  const limit = ownLimit === DEFAULT ? (fallback?.limits[metric] ?? UNLIMITED) : ownLimit;
  return { used: own?.used[metric] ?? 0, limit: limit < 0 ? undefined : limit };
}
