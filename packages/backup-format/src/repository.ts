import { randomBytes as systemRandomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { type CallOptions, silentLogger } from '@onevault/base';
import { ChunkCodecs } from './codec/chunk-codec.ts';
import { readConfig } from './config-object.ts';
import type { CopyOptions, CopyOutcome, CopyReport } from './copy/copy-api.ts';
import { copyPoints } from './copy/copy-points.ts';
import { protectionFor } from './crypto/protection.ts';
import { Drills } from './drills/drills.ts';
import { RepositoryError, withPlace } from './errors.ts';
import { damagedPoints } from './forget/damaged-points.ts';
import { type ForgetOptions, forgetPoint } from './forget/forget-point.ts';
import { forgetUnderLease } from './forget/forget-under-lease.ts';
import { fromHex } from './format/bytes.ts';
import { collectGarbage } from './gc/collect-garbage.ts';
import type { GcOptions, GcReport } from './gc/gc-api.ts';
import { ChunkIndex } from './index/chunk-index.ts';
import { KeySlots } from './keys/key-slots.ts';
import type { RepositoryKeys } from './keys/keys-api.ts';
import { type Unlocked, unlock } from './keys/unlock.ts';
import { leaseForReading, type ReadingLease } from './lease/lease-for-reading.ts';
import { type LeaseInfo, leaseInfo, type UnlockOptions, type UnlockReport } from './lease/lease-info.ts';
import { Leases } from './lease/leases.ts';
import { writerPurpose } from './lease/writer-purpose.ts';
import { Marks } from './marks/marks.ts';
import { type RepositoryInit, writeNewRepository } from './new-repository.ts';
import { type PointPlace, Points } from './points.ts';
import { ChunkReader } from './read/chunk-reader.ts';
import { StoredDiskReader } from './read/disk-reader.ts';
import type {
  Damage,
  DigestSpec,
  DiskReader,
  ListedPoint,
  PointFilter,
  Repository,
  RepositoryConfig,
  RestorePoint,
  RestorePointSpec,
  VerifyOptions,
  VerifyReport,
} from './repository-api.ts';
import type { RepositoryDeps } from './repository-deps.ts';
import type { RepositoryParts } from './repository-parts.ts';
import { type RepositoryStats, repositoryStats, storedBytes } from './stats/repository-stats.ts';
import type { ObjectStore } from './store/object-store.ts';
import { KnownDamage } from './verify/known-damage.ts';
import { type RepairOptions, type RepairReport, repairRepository } from './verify/repair.ts';
import { verifyRepository } from './verify/verify.ts';
import type { VerifyRecord } from './verify/verify-record.ts';
import { readKeptRecords } from './verify/verify-records.ts';
import { beginPoint } from './write/begin-point.ts';
import type { CopySpec, PointWriter } from './write/point-writer.ts';

/**
 * Makes a repository in a store that holds nothing. Throws REPO_EXISTS, REPO_NOT_EMPTY, REPO_PATH_INVALID, REPO_NOT_WRITABLE, REPO_SECRET_INVALID; RangeError for
 * an init outside the format. The config is written exclusively: of two processes that create at once one gets REPO_EXISTS.
 */
export async function createRepository(store: ObjectStore, init: RepositoryInit, deps: RepositoryDeps, options: CallOptions = {}): Promise<Repository> {
  const { config, unlocked } = await writeNewRepository(store, init, deps, options);
  return new StoredRepository(store, config, unlocked, deps);
}

/**
 * Opens a repository for reading and writing. Throws REPO_NOT_FOUND, REPO_PATH_INVALID, REPO_CONFIG_INVALID, REPO_UNSUPPORTED_VERSION; for an encrypted one
 * REPO_KEY_REQUIRED, REPO_KEY_REJECTED, REPO_KEY_INVALID, REPO_SECRET_INVALID; REPO_NOT_ENCRYPTED for another one with a secret. Disposing it disposes the store.
 */
export async function openRepository(store: ObjectStore, deps: RepositoryDeps, options: CallOptions = {}): Promise<Repository> {
  const config = await readConfig(store, options);
  return new StoredRepository(store, config, await unlock(store, config, deps, options), deps);
}

/** Ties the layers together; holds nothing but bounded caches. */
class StoredRepository implements Repository {
  readonly config: RepositoryConfig;
  readonly digest: DigestSpec;
  readonly keys: RepositoryKeys | undefined;
  readonly marks: Marks;
  readonly drills: Drills;
  readonly #parts: RepositoryParts;

  constructor(store: ObjectStore, config: RepositoryConfig, unlocked: Unlocked | undefined, deps: RepositoryDeps) {
    const logger = deps.logger ?? silentLogger;
    const randomBytes = deps.randomBytes ?? systemRandomBytes;
    const protection = protectionFor(config.digest, unlocked?.master, randomBytes);
    const { digest, envelopes, sum } = protection;
    const owner = { repositoryId: config.id, sum };
    const codecs = new ChunkCodecs(config, protection);
    const index = new ChunkIndex(store, owner, logger);
    const leases = new Leases({
      store,
      config,
      envelopes,
      clock: deps.clock,
      logger,
      randomBytes,
      leaseHolder: deps.leaseHolder ?? { host: hostname(), pid: process.pid },
    });
    this.config = config;
    this.digest = digest;
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
      leases,
      clock: deps.clock,
      randomBytes,
      logger,
    };
    this.marks = new Marks(this.#parts);
    this.drills = new Drills(this.#parts);
    this.keys = unlocked && new KeySlots(this.#parts, unlocked);
  }

  get location(): string {
    return this.#parts.store.location;
  }

  points(filter: PointFilter = {}, options: CallOptions = {}): AsyncIterable<ListedPoint> {
    return this.#parts.points.list(filter, options);
  }

  async point(id: string, options: CallOptions = {}): Promise<RestorePoint> {
    return this.#parts.points.read(await this.#parts.points.resolve(id, options), options);
  }

  begin(spec: RestorePointSpec | CopySpec, options: CallOptions = {}): Promise<PointWriter> {
    return beginPoint(this.#parts, spec, options);
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

  repair(options: RepairOptions = {}): Promise<RepairReport> {
    return repairRepository(this.#parts, options);
  }

  verifyRecords(options: CallOptions = {}): Promise<readonly VerifyRecord[]> {
    return readKeptRecords(this.#parts, options);
  }

  resolvePoint(id: string, options: CallOptions = {}): Promise<PointPlace> {
    return this.#parts.points.resolve(id, options);
  }

  forgetPoint(id: string, options: ForgetOptions = {}): Promise<void> {
    const deps = { ...this.#parts, marks: this.marks, damagedPoints: (call?: CallOptions) => this.damagedPoints(call) };
    return forgetUnderLease(this.#parts.leases, (lease) => forgetPoint(deps, id, options, lease), options);
  }

  collectGarbage(options: GcOptions = {}): Promise<GcReport> {
    return collectGarbage(this.#parts, options);
  }

  leaseForReading(point: RestorePoint, purpose: string, options: CallOptions = {}): Promise<ReadingLease> {
    return leaseForReading(this.#parts, point, purpose, options);
  }

  async leases(options: CallOptions = {}): Promise<readonly LeaseInfo[]> {
    return (await this.#parts.leases.watch.observe(options)).map(leaseInfo);
  }

  async unlock(options: UnlockOptions = {}): Promise<UnlockReport> {
    const { removed, left } = await this.#parts.leases.unlock(options.force ?? [], options);
    return { removed: removed.map(leaseInfo), left: left.map(leaseInfo) };
  }

  async endRun(group: string, runId: string, options: CallOptions = {}): Promise<number> {
    return this.#parts.leases.end(({ record }) => record?.kind === 'writer' && record.purpose === writerPurpose({ group, runId }), options);
  }

  damagedPoints(options: CallOptions = {}): Promise<ReadonlySet<string>> {
    return damagedPoints(this.#parts, options);
  }

  stats(options: CallOptions = {}): Promise<RepositoryStats> {
    return repositoryStats(this.#parts, options);
  }

  storedBytes(options: CallOptions = {}): Promise<number> {
    return storedBytes(this.#parts, options);
  }

  copyTo(target: Repository, options: CopyOptions = {}): AsyncGenerator<CopyOutcome, CopyReport> {
    if (!(target instanceof StoredRepository)) throw new TypeError('the target of a copy is an open repository');
    const parts = { ...target.#parts, marks: target.marks, drills: target.drills };
    return copyPoints({ ...this.#parts, marks: this.marks, drills: this.drills }, { parts, begin: (spec, call) => target.begin(spec, call) }, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.index[Symbol.asyncDispose]();
    await this.#parts.store[Symbol.asyncDispose]();
  }
}
