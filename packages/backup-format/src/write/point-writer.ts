import { type CallOptions, serializeError } from '@onevault/base';
import { isRepositoryError, RepositoryError } from '../errors.ts';
import { toHex, ZERO_HEX } from '../format/bytes.ts';
import { GROUP, NAME, newTimeId, pointKey, TIME, TIME_ID } from '../format/ids.ts';
import { MAX_CHUNK_BYTES, MAX_POINT_DISKS, MAX_POINT_METADATA } from '../format/limits.ts';
import { encodeManifest } from '../format/manifest.ts';
import type { Condemned } from '../gc/condemned.ts';
import type { HeldLease } from '../lease/held-lease.ts';
import { ownedPackIds } from '../lease/pack-owner.ts';
import { PackPool } from '../pack/pack-pool.ts';
import { PackConfirmer } from '../pack/pack-reader.ts';
import { StoredDiskReader } from '../read/disk-reader.ts';
import type {
  DiskReader,
  DiskStats,
  DiskWriteSpec,
  Json,
  RestorePoint,
  RestorePointSpec,
  RestorePointWriter,
  StoredDisk,
  StoredMetadata,
} from '../repository-api.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { ChunkSink } from './chunk-sink.ts';
import type { DiskRun } from './disk-run.ts';
import { checkDiskSpec, DiskWriter } from './disk-writer.ts';
import { sumStats } from './stats.ts';
import { TableFlusher } from './table-flusher.ts';

export type PointWriterDeps = Pick<
  RepositoryParts,
  'store' | 'config' | 'owner' | 'envelopes' | 'codecs' | 'index' | 'chunks' | 'damage' | 'clock' | 'randomBytes' | 'logger'
> & {
  /** Belongs to the writer from here on. */
  readonly lease: HeldLease;
  readonly condemned: Condemned;
};

/** A point that another repository committed: it keeps its id. `origin` is the repository that first did. */
export interface CopySpec extends RestorePointSpec {
  readonly id: string;
  readonly origin: string;
}

type State = { readonly kind: 'open' } | { readonly kind: 'spoiled'; readonly error: unknown } | { readonly kind: 'ended' };

/** One run of the repository: packs, then tables, then the manifest (I2), under a lease that ends with it. Made by `beginPoint`. */
export class PointWriter implements RestorePointWriter {
  readonly id: string;
  readonly #spec: RestorePointSpec | CopySpec;
  readonly #deps: PointWriterDeps;
  readonly #sink: ChunkSink;
  readonly #packs: PackPool;
  readonly #tables: TableFlusher;
  readonly #disks = new Map<string, StoredDisk | undefined>();
  readonly #metadata = new Map<string, StoredMetadata | undefined>();
  #state: State = { kind: 'open' };
  #committing: Promise<void> | undefined;
  #commitCall: CallOptions | undefined;

  constructor(spec: RestorePointSpec | CopySpec, deps: PointWriterDeps) {
    const { store, randomBytes, logger, clock, owner } = deps;
    this.#spec = spec;
    this.#deps = deps;
    this.id = 'id' in spec ? spec.id : newTimeId(clock.now(), randomBytes);
    this.#sink = new ChunkSink({ ...deps, confirmer: new PackConfirmer(store, owner) });
    this.#tables = new TableFlusher(deps, this.#sink);
    this.#packs = new PackPool({
      store,
      ...owner,
      randomBytes: ownedPackIds(deps.lease.id, randomBytes),
      logger,
      onDurable: (pack) => this.#tables.add(pack, {}),
    });
  }

  async writeDisk(
    spec: DiskWriteSpec,
    runs: AsyncIterable<DiskRun>,
    options: CallOptions & { readonly onProgress?: (stats: DiskStats) => void } = {},
  ): Promise<StoredDisk> {
    this.#checkOpen(options);
    const deps = { repositoryId: this.#deps.config.id, blockSizeBytes: this.#deps.config.blockSizeBytes, sink: this.#sink, packs: this.#packs };
    const grid = checkDiskSpec(spec, deps);
    const call = this.#call(options);
    const stored = await this.#add(this.#disks, spec.key, MAX_POINT_DISKS, async () => {
      if (spec.parent) await this.#keepParent(spec.parent, call);
      return new DiskWriter(spec, grid, deps, call).write(
        runs,
        (stats) => options.onProgress?.(stats),
        (error) => this.#spoil(error),
      );
    });
    return stored;
  }

  /** The lease says what is copied from before it is checked that the point is there: of a gc and this run at least one learns of the other. */
  async #keepParent(parent: DiskReader, call: CallOptions): Promise<void> {
    const { root, sizeBytes } = parent.disk;
    if (root !== ZERO_HEX) await this.#deps.lease.addRoot({ root, sizeBytes }, call);
    if (!(parent instanceof StoredDiskReader) || (await this.#deps.store.stat(parent.pointKey, call))) return;
    throw new RepositoryError({
      code: 'REPO_POINT_NOT_FOUND',
      message: `the restore point that disk ${parent.disk.key} is compared with was forgotten meanwhile`,
      details: { key: parent.pointKey, diskKey: parent.disk.key },
      hint: 'run the backup again: it chooses another one to compare with',
    });
  }

  /** Ends with the lease too. */
  #call(options: CallOptions): CallOptions {
    const { signal } = this.#deps.lease;
    return { signal: options.signal ? AbortSignal.any([options.signal, signal]) : signal };
  }

  /** Whether the repository has a chunk that this point may refer to; `confirm` asks the pack itself. */
  holds(digest: Uint8Array, confirm: boolean, options: CallOptions = {}): Promise<boolean> {
    return this.#sink.holds(digest, confirm, options);
  }

  async writeMetadata(name: string, data: Uint8Array, options: CallOptions = {}): Promise<void> {
    this.#checkOpen(options);
    if (!NAME.test(name)) throw new TypeError(`"${name}" cannot be the name of a metadata file`);
    if (data.length > MAX_CHUNK_BYTES)
      throw new RepositoryError({
        code: 'REPO_TOO_LARGE',
        message: `the metadata file ${name} has ${data.length} bytes, more than ${MAX_CHUNK_BYTES}`,
        details: { metadata: name },
      });
    const call = this.#call(options);
    await this.#add(this.#metadata, name, MAX_POINT_METADATA, async () => {
      if (data.length === 0) return { name, sizeBytes: 0, digest: ZERO_HEX };
      const lane = this.#packs.lane('index');
      try {
        const digest = await this.#sink.storeChecked('metadata', data, lane, call);
        return { name, sizeBytes: data.length, digest: toHex(digest) };
      } catch (error) {
        this.#spoil(error);
        throw error;
      } finally {
        lane.close();
      }
    });
  }

  /** Reserves the name while the part is written; a part that failed may be written again. */
  async #add<T>(parts: Map<string, T | undefined>, name: string, most: number, write: () => Promise<T>): Promise<T> {
    if (parts.has(name)) throw new TypeError(`${name} is written twice`);
    if (parts.size >= most)
      throw new RepositoryError({ code: 'REPO_TOO_LARGE', message: `a restore point holds at most ${most} parts of a kind`, details: { pointId: this.id } });
    parts.set(name, undefined);
    try {
      const part = await write();
      parts.set(name, part);
      return part;
    } catch (error) {
      parts.delete(name);
      throw error;
    }
  }

  async commit(facts: { readonly annotations: { readonly [key: string]: Json } }, options: CallOptions = {}): Promise<RestorePoint> {
    this.#checkOpen(options);
    const disks = finished(this.#disks);
    const metadata = finished(this.#metadata);
    this.#state = { kind: 'ended' };
    this.#commitCall = this.#call(options);
    const committing = this.#commit(disks, metadata, facts.annotations, this.#commitCall);
    this.#committing = committing.then(
      () => undefined,
      () => undefined,
    );
    return committing;
  }

  async #commit(
    disks: readonly StoredDisk[],
    metadata: readonly StoredMetadata[],
    annotations: RestorePoint['annotations'],
    call: CallOptions,
  ): Promise<RestorePoint> {
    const { config, store, clock, lease } = this.#deps;
    await this.#packs.finishAll(call);
    await this.#tables.flush(call);
    const point: RestorePoint = { ...this.#spec, id: this.id, committedAt: clock.now().toISOString(), disks, metadata, annotations, stats: sumStats(disks) };
    const key = pointKey(point.group, point.id);
    const manifest = encodeManifest(this.#deps.envelopes, config.id, point);
    await lease.prove(call);
    const outcome = await store.put(key, manifest, { ...call, ifAbsent: true });
    if (outcome === 'existed') throw new RepositoryError({ code: 'REPO_OBJECT_EXISTS', message: `${key} is already in the repository`, details: { key } });
    await this.#checkCommitted(key);
    return point;
  }

  /** A process that was stopped between the proof and the manifest until its lease had expired takes the manifest back: gc may have deleted what it needs. */
  async #checkCommitted(key: string): Promise<void> {
    const { store, lease, logger } = this.#deps;
    try {
      await lease.prove();
    } catch (error) {
      if (isRepositoryError(error, 'REPO_LOCK_LOST')) {
        await store.delete(key);
        throw error;
      }
      logger.warn({ key, error: serializeError(error) }, 'could not look after the lease of a run that has committed');
    }
  }

  #checkOpen(options: CallOptions): void {
    options.signal?.throwIfAborted();
    this.#deps.lease.signal.throwIfAborted();
    if (this.#state.kind === 'spoiled') throw this.#state.error;
    if (this.#state.kind === 'ended') throw new TypeError('the restore point was committed or given up');
  }

  /** A chunk that others may count on was not stored: this run cannot become a restore point. */
  #spoil(error: unknown): void {
    if (this.#state.kind === 'open') this.#state = { kind: 'spoiled', error };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = { kind: 'ended' };
    try {
      await this.#committing; // `return writer.commit()` leaves the scope before the commit is through
      await this.#packs[Symbol.asyncDispose]();
      await this.#keepDurablePacks();
      if (this.#commitCall) await this.#tables.merge(this.#commitCall);
    } finally {
      await this.#deps.lease.release();
    }
  }

  /** A run that did not commit has still stored whole packs: listed in a table, the next run finds them instead of storing them again. */
  async #keepDurablePacks(): Promise<void> {
    if (this.#deps.lease.signal.aborted) return;
    try {
      await this.#tables.flush({});
    } catch (error) {
      this.#deps.logger.warn({ pointId: this.id, error: serializeError(error) }, 'could not index what a run without a commit had stored');
    }
  }
}

/** Throws TypeError for what no manifest can say. */
export function checkPointSpec(spec: RestorePointSpec): void {
  if (!GROUP.test(spec.group)) throw new TypeError(`"${spec.group}" cannot be the name of a group`);
  if (!TIME.test(spec.capturedAt)) throw new TypeError(`"${spec.capturedAt}" is not an RFC 3339 time in UTC`);
  if (spec.runId.length < 1 || spec.runId.length > 128) throw new TypeError('a run id has 1 to 128 characters');
  if (spec.parentId !== undefined && !TIME_ID.test(spec.parentId)) throw new TypeError(`"${spec.parentId}" is not the id of a restore point`);
}

function finished<T>(parts: ReadonlyMap<string, T | undefined>): T[] {
  return [...parts].map(([name, part]) => {
    if (part === undefined) throw new TypeError(`${name} is still being written`);
    return part;
  });
}
