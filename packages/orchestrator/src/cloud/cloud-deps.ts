import type { Clock } from '@onevault/base';
import type { OneApi } from '@onevault/one-client';
import type { Patience } from '../ports.ts';

/** What every step in the cloud needs. */
export interface CloudDeps {
  readonly cloud: OneApi;
  readonly clock: Clock;
  readonly patience: Patience;
}
