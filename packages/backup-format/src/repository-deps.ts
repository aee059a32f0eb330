import type { Clock, Logger } from '@onevault/base';
import type { RandomBytes } from './format/ids.ts';
import type { RepositorySecret } from './keys/secret.ts';
import type { LeaseHolder } from './lease/lease-record.ts';

/** What a repository needs from its surroundings. */
export interface RepositoryDeps {
  readonly clock: Clock;
  /** Ids and tags; the system's generator unless a test wants to repeat itself. */
  readonly randomBytes?: RandomBytes;
  readonly logger?: Logger;
  /** Who holds its leases, for people; this host and process by default. */
  readonly leaseHolder?: LeaseHolder;
  /** Opens an encrypted repository; with one that is not encrypted it is refused. */
  readonly secret?: RepositorySecret;
}
