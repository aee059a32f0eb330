import { randomBytes as systemRandomBytes } from 'node:crypto';
import { type CallOptions, silentLogger } from '@onevault/base';
import { ChunkCodecs } from './codec/chunk-codec.ts';
import { readConfig } from './config-object.ts';
import type { CopyOptions, CopyOutcome, CopyReport } from './copy/copy-api.ts';
import { copyPoints } from './copy/copy-points.ts';
import { plainProtection } from './crypto/protection.ts';
import { RepositoryError, withPlace } from './errors.ts';
import { damagedPoints } from './forget/damaged-points.ts';
import { type ForgetOptions, forgetPoint } from './forget/forget-point.ts';
import { fromHex } from './format/bytes.ts';
import { encodeConfig } from './format/config.ts';
import { CONFIG_KEY, newHexId } from './format/ids.ts';
import { DEFAULT_BLOCK_BYTES, DEFAULT_COMPRESSION_LEVEL, FORMAT_VERSION } from './format/limits.ts';
import { ChunkIndex } from './index/chunk-index.ts';
import { Marks } from './marks/marks.ts';
import { type PointPlace, Points } from './points.ts';
import { ChunkReader } from './read/chunk-reader.ts';
import { StoredDiskReader } from './read/disk-reader.ts';
import type {
  Damage,
  DigestAlgorithm,
  DigestSpec,
  DiskReader,
  ListedPoint,
  Repository,
  RepositoryConfig,
  RestorePoint,
  RestorePointSpec,
  VerifyOptions,
  VerifyReport,
} from './repository-api.ts';
import type { RepositoryDeps } from './repository-deps.ts';
import type { RepositoryParts } from './repository-parts.ts';
import { type RepositoryStats, repositoryStats } from './stats/repository-stats.ts';
import type { ObjectStore } from './store/object-store.ts';
import { KnownDamage } from './verify/known-damage.ts';
import { verifyRepository } from './verify/verify.ts';
import type { VerifyRecord } from './verify/verify-record.ts';
import { readVerifyRecords } from './verify/verify-records.ts';
import { type CopySpec, PointWriter } from './write/point-writer.ts';

/** What is fixed for the life of a repository. */
export interface RepositoryInit {
  /** BLAKE3 unless SHA-256 is asked for. */
  readonly digest?: DigestAlgorithm;
  /** A power of two, 64 KiB to 4 MiB; 1 MiB by default. */
  readonly blockSizeBytes?: number;
  /** zstd level 1 to 12; 2 by default. */
  readonly compressionLevel?: number;
}

/**
 * Makes a repository in a store that holds nothing. Throws REPO_EXISTS, REPO_NOT_EMPTY, REPO_PATH_INVALID, REPO_NOT_WRITABLE; RangeError for an init outside the format.
 * The config is written exclusively: of two processes that create at once one gets REPO_EXISTS.
 */
export async function createRepository(store: ObjectStore, init: RepositoryInit, deps: RepositoryDeps, options: CallOptions = {}): Promise<Repository> {
  const config: RepositoryConfig = {
    id: newHexId(deps.randomBytes ?? systemRandomBytes),
    formatVersion: FORMAT_VERSION,
    digest: init.digest ?? 'blake3',
    blockSizeBytes: init.blockSizeBytes ?? DEFAULT_BLOCK_BYTES,
    compression: { codec: 'zstd', level: init.compressionLevel ?? DEFAULT_COMPRESSION_LEVEL },
    created: deps.clock.now().toISOString(),
  };
  const bytes = encodeConfig(config);
  if (await store.stat(CONFIG_KEY, options)) throw repositoryExists(store);
  for await (const { key } of store.list('', options)) {
    throw new RepositoryError({
      code: 'REPO_NOT_EMPTY',
      message: `${store.location} holds ${key}, which is not a repository's`,
      details: { location: store.location, key },
      hint: 'name an empty directory for the repository, or one that does not exist yet',
    });
  }
  if ((await store.put(CONFIG_KEY, bytes, { ...options, ifAbsent: true })) === 'existed') throw repositoryExists(store);
  return new StoredRepository(store, config, deps);
}

/** Opens a repository for reading and writing. Throws REPO_NOT_FOUND, REPO_PATH_INVALID, REPO_CONFIG_INVALID, REPO_UNSUPPORTED_VERSION. Disposing it disposes the store. */
export async function openRepository(store: ObjectStore, deps: RepositoryDeps, options: CallOptions = {}): Promise<Repository> {
  return new StoredRepository(store, await readConfig(store, options), deps);
}

function repositoryExists(store: ObjectStore): RepositoryError {
  return new RepositoryError({
    code: 'REPO_EXISTS',
    message: `there is a repository in ${store.location} already`,
    details: { location: store.location, key: CONFIG_KEY },
    hint: 'open it instead, or name another place',
  });
}

/** Ties the layers together; holds nothing but bounded caches. */
class StoredRepository implements Repository {
  readonly config: RepositoryConfig;
  readonly marks: Marks;
  readonly #parts: RepositoryParts;

  constructor(store: ObjectStore, config: RepositoryConfig, deps: RepositoryDeps) {
    const logger = deps.logger ?? silentLogger;
    const protection = plainProtection(config.digest);
    const { envelopes, sum } = protection;
    const owner = { repositoryId: config.id, sum };
    const codecs = new ChunkCodecs(config, protection);
    const index = new ChunkIndex(store, owner, logger);
    this.config = config;
    this.#parts = {
      store,
      config,
      envelopes,
      owner,
      codecs,
      index,
      chunks: new ChunkReader(store, index, codecs),
      points: new Points({ store, config, envelopes }),
      damage: new KnownDamage({ store, config, envelopes, logger }),
      clock: deps.clock,
      randomBytes: deps.randomBytes ?? systemRandomBytes,
      logger,
    };
    this.marks = new Marks(this.#parts);
  }

  get digest(): DigestSpec {
    return { algorithm: this.config.digest };
  }

  get location(): string {
    return this.#parts.store.location;
  }

  points(filter: { readonly group?: string } = {}, options: CallOptions = {}): AsyncIterable<ListedPoint> {
    return this.#parts.points.list(filter, options);
  }

  async point(id: string, options: CallOptions = {}): Promise<RestorePoint> {
    return this.#parts.points.read(await this.#parts.points.resolve(id, options), options);
  }

  async begin(spec: RestorePointSpec | CopySpec, options: CallOptions = {}): Promise<PointWriter> {
    options.signal?.throwIfAborted();
    const writer = new PointWriter(spec, this.#parts);
    await Promise.all([this.#parts.index.reload(), this.#parts.damage.reload()]);
    return writer;
  }

  async openDisk(point: RestorePoint, diskKey: string, options: CallOptions = {}): Promise<DiskReader> {
    options.signal?.throwIfAborted();
    const disk = point.disks.find(({ key }) => key === diskKey);
    if (!disk) {
      throw new RepositoryError({
        code: 'REPO_DISK_NOT_FOUND',
        message: `the restore point ${point.id} has no disk ${diskKey}`,
        details: { pointId: point.id, diskKey },
        hint: `it has ${point.disks.map(({ key }) => key).join(', ') || 'none'}`,
      });
    }
    return new StoredDiskReader(point, disk, { ...this.#parts, repositoryId: this.config.id });
  }

  async readMetadata(point: RestorePoint, name: string, options: CallOptions = {}): Promise<Uint8Array> {
    const file = point.metadata.find((candidate) => candidate.name === name);
    if (!file)
      throw new RepositoryError({
        code: 'REPO_METADATA_NOT_FOUND',
        message: `the restore point ${point.id} has no file ${name}`,
        details: { pointId: point.id, metadata: name },
      });
    if (file.sizeBytes === 0) return new Uint8Array(0);
    try {
      return await this.#parts.chunks.load({ digest: fromHex(file.digest), plainBytes: file.sizeBytes }, options);
    } catch (error) {
      throw withPlace(error, { pointId: point.id, metadata: name });
    }
  }

  verify(options: VerifyOptions = {}): AsyncGenerator<Damage, VerifyReport> {
    return verifyRepository(this.#parts, options);
  }

  verifyRecords(options: CallOptions = {}): Promise<readonly VerifyRecord[]> {
    return readVerifyRecords(this.#parts, options);
  }

  resolvePoint(id: string, options: CallOptions = {}): Promise<PointPlace> {
    return this.#parts.points.resolve(id, options);
  }

  forgetPoint(id: string, options: ForgetOptions = {}): Promise<void> {
    return forgetPoint({ ...this.#parts, marks: this.marks, damagedPoints: (call) => this.damagedPoints(call) }, id, options);
  }

  damagedPoints(options: CallOptions = {}): Promise<ReadonlySet<string>> {
    return damagedPoints(this.#parts, options);
  }

  stats(options: CallOptions = {}): Promise<RepositoryStats> {
    return repositoryStats(this.#parts, options);
  }

  copyTo(target: Repository, options: CopyOptions = {}): AsyncGenerator<CopyOutcome, CopyReport> {
    if (!(target instanceof StoredRepository)) throw new TypeError('the target of a copy is an open repository');
    return copyPoints(this.#parts, { parts: target.#parts, begin: (spec, call) => target.begin(spec, call) }, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.index[Symbol.asyncDispose]();
    await this.#parts.store[Symbol.asyncDispose]();
  }
}
