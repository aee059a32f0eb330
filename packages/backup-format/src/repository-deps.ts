import type { Clock, Logger } from '@onevault/base';
import type { RandomBytes } from './format/ids.ts';
import type { RepositorySecret } from './keys/secret.ts';

/** What a repository needs from its surroundings. */
export interface RepositoryDeps {
  readonly clock: Clock;
  /** Ids and tags; the system's generator unless a test wants to repeat itself. */
  readonly randomBytes?: RandomBytes;
  readonly logger?: Logger;
  /** Opens an encrypted repository; with one that is not encrypted it is refused. */
  readonly secret?: RepositorySecret;
}
