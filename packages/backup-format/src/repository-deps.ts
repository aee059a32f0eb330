import type { Clock, Logger } from '@onevault/base';
import type { RandomBytes } from './format/ids.ts';

/** What a repository needs from its surroundings. */
export interface RepositoryDeps {
  readonly clock: Clock;
  /** Ids and tags; the system's generator unless a test wants to repeat itself. */
  readonly randomBytes?: RandomBytes;
  readonly logger?: Logger;
}
