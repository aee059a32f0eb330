import type { Clock, Logger } from '@onevault/base';
import type { ChunkCodecs } from './codec/chunk-codec.ts';
import type { Envelopes } from './format/envelopes.ts';
import type { RandomBytes } from './format/ids.ts';
import type { StructureOwner } from './format/structure-sum.ts';
import type { ChunkIndex } from './index/chunk-index.ts';
import type { Leases } from './lease/leases.ts';
import type { Points } from './points.ts';
import type { ChunkReader } from './read/chunk-reader.ts';
import type { RepositoryConfig } from './repository-api.ts';
import type { ObjectStore } from './store/object-store.ts';
import type { KnownDamage } from './verify/known-damage.ts';

/** What an open repository is made of: every operation on it is a function of these. */
export interface RepositoryParts {
  readonly store: ObjectStore;
  readonly config: RepositoryConfig;
  readonly envelopes: Envelopes;
  /** Repository id and checksum: what packs and index tables are made and read with. */
  readonly owner: StructureOwner;
  readonly codecs: ChunkCodecs;
  readonly index: ChunkIndex;
  readonly chunks: ChunkReader;
  readonly points: Points;
  readonly damage: KnownDamage;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly logger: Logger;
}
