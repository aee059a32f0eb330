import type { Clock } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import type { Patience } from '../ports.ts';

/** What every step in the cloud needs. */
export interface CloudDeps {
  readonly cloud: OneApi;
  readonly clock: Clock;
  readonly patience: Patience;
}

/** For whatever may move as many bytes as the disk has: copies, and snapshots on drivers that make and merge them by copying (opennebula.md e.3). */
export function copyPatienceMs(patience: Patience, sizeMiB: number): number {
  return patience.copyMs + Math.ceil(sizeMiB / 1024) * patience.copyMsPerGiB;
}
