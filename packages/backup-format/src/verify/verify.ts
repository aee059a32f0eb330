import type { CallOptions } from '@onevault/base';
import { readConfig } from '../config-object.ts';
import { isRepositoryError, RepositoryError } from '../errors.ts';
import { toHex } from '../format/bytes.ts';
import { encodeConfig } from '../format/config.ts';
import { CONFIG_KEY, packKey, parsePackKey } from '../format/ids.ts';
import { ChunkIndex } from '../index/chunk-index.ts';
import { newTableId } from '../index/table-id.ts';
import { PackIds } from '../pack/pack-ids.ts';
import type { PointPlace } from '../points.ts';
import { ChunkReader } from '../read/chunk-reader.ts';
import type { Damage, VerifyOptions, VerifyReport } from '../repository-api.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { DamageLog } from './damage-log.ts';
import { FoundDamage } from './found-damage.ts';
import { GoodChunks } from './good-chunks.ts';
import { checkOtherObjects } from './other-objects.ts';
import { type CheckedPack, checkPacks } from './pack-check.ts';
import { ReferenceWalk } from './reference-walk.ts';
import { SampleArc } from './sample-arc.ts';
import { checkTables } from './table-check.ts';
import { MAX_RECORDED_POINTS, type VerifyRecord, verifyRecordKey } from './verify-record.ts';
import { readVerifyRecords, writeVerifyRecord } from './verify-records.ts';

export type VerifyDeps = Pick<
  RepositoryParts,
  'store' | 'config' | 'owner' | 'envelopes' | 'codecs' | 'points' | 'damage' | 'clock' | 'randomBytes' | 'logger'
>;

type MutableReport = { -readonly [K in keyof VerifyReport]: VerifyReport[K] };

/**
 * Checks the structure of every object, the data of the chunks that the mode asks for, and that every reference of every restore point leads to a chunk.
 * Packs are checked in windows of a bounded number of chunks; after each window the restore points are walked for what refers into it.
 * Memory: 16 bytes for every pack, 32 MiB for a window, 48 MiB of slices under way, the index page cache, what is damaged.
 * Order: what refers is listed before what is referred to, so that a run that commits meanwhile is no damage.
 */
export async function* verifyRepository(deps: VerifyDeps, options: VerifyOptions = {}): AsyncGenerator<Damage, VerifyReport> {
  const call = options.signal ? { signal: options.signal } : {};
  call.signal?.throwIfAborted();
  const startedAt = deps.clock.now();
  const records = await readVerifyRecords(deps, call);
  await using verification = new Verification(deps, options, records, call);
  yield* verification.run();
  if (options.record ?? true) await verification.writeRecord(startedAt);
  return verification.report;
}

interface Sample {
  readonly seed: string;
  readonly percent: number;
  readonly arc: SampleArc;
}

/** A sample goes on where the last one ended, unless a seed says where it begins. */
function sampleOf(deps: VerifyDeps, options: VerifyOptions, records: readonly VerifyRecord[]): Sample | undefined {
  const { mode = 'all' } = options;
  if (typeof mode === 'string') return undefined;
  const seed = mode.seed ?? records.at(-1)?.nextSample ?? toHex(deps.randomBytes(4));
  return { seed, percent: mode.samplePercent, arc: new SampleArc(seed, mode.samplePercent) };
}

class Verification implements AsyncDisposable {
  readonly report: MutableReport;
  readonly #deps: VerifyDeps;
  readonly #options: VerifyOptions;
  readonly #records: readonly VerifyRecord[];
  /** Packs that a repair has given up: nobody counts on them. */
  readonly #quarantined: ReadonlySet<string>;
  readonly #sample: Sample | undefined;
  readonly #call: CallOptions;
  readonly #log = new DamageLog();
  readonly #found: FoundDamage;
  /** Fresh, so that nothing remembered hides what the store has now. */
  readonly #index: ChunkIndex;
  #places: PointPlace[] = [];
  readonly #soundPoints = new Set<string>();
  #packs = PackIds.empty;
  #doneBytes = 0;
  #firstWindow = true;

  constructor(deps: VerifyDeps, options: VerifyOptions, records: readonly VerifyRecord[], call: CallOptions) {
    const { mode = 'all' } = options;
    const sample = sampleOf(deps, options, records);
    this.#records = records;
    this.#quarantined = new Set(records.at(-1)?.quarantined);
    this.#deps = deps;
    this.#options = options;
    this.#sample = sample;
    this.#call = call;
    this.#found = new FoundDamage(deps.damage);
    this.#index = new ChunkIndex(deps.store, deps.owner, deps.logger);
    this.report = {
      mode: typeof mode === 'string' ? mode : 'sample',
      ...(sample && { sample: { seed: sample.seed, percent: sample.percent } }),
      points: 0,
      packs: 0,
      chunks: 0,
      checkedChunks: 0,
      readBytes: 0,
      damaged: 0,
      harmless: 0,
      healed: 0,
      orphanPacks: 0,
      quarantinedPacks: 0,
    };
  }

  async *run(): AsyncGenerator<Damage, void> {
    const { store, owner } = this.#deps;
    await this.#checkConfig();
    this.#places = await this.#deps.points.places({}, this.#call);
    await this.#checkManifests();
    await checkOtherObjects(this.#deps, (key, error) => this.#log.note(key, error), this.#call);
    await this.#index.reload();
    this.#packs = await PackIds.list(store, this.#call);
    this.report.readBytes += await checkTables(store, owner, this.#packs, this.#log, this.#call);
    yield* this.#checkPacks();
  }

  async #checkConfig(): Promise<void> {
    const { store, config } = this.#deps;
    try {
      const read = await readConfig(store, this.#call);
      if (encodeConfig(read).equals(encodeConfig(config))) return;
      const message = read.id === config.id ? 'the config is not the one the repository was opened with' : `the config is that of the repository ${read.id}`;
      this.#log.note(CONFIG_KEY, new RepositoryError({ code: 'REPO_CONFIG_INVALID', message, details: { key: CONFIG_KEY } }));
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_CONFIG_INVALID', 'REPO_NOT_FOUND', 'REPO_UNSUPPORTED_VERSION')) throw error;
      this.#log.note(CONFIG_KEY, error);
    }
  }

  async #checkManifests(): Promise<void> {
    for await (const listed of this.#deps.points.readAll(this.#places, this.#call)) {
      this.report.points += 1;
      if (listed.kind === 'damaged') this.#log.note(listed.key, listed.error);
      else if (this.#soundPoints.size < MAX_RECORDED_POINTS) this.#soundPoints.add(listed.point.id);
    }
  }

  async *#checkPacks(): AsyncGenerator<Damage, void> {
    const { store, codecs, owner } = this.#deps;
    const onBytes = (bytes: number): void => this.#progress(this.#doneBytes + bytes);
    const checked = checkPacks({ store, codecs, owner, reads: this.#reads(), onBytes }, this.#packs, this.#call);
    let good = new GoodChunks('');
    let doneBytes = 0;
    for await (const pack of checked) {
      if (good.full) {
        const { last } = good;
        await this.#walk(good, false);
        yield* this.#take((key) => (parsePackKey(key) ?? '') <= last);
        good = new GoodChunks(last);
      }
      doneBytes += pack.packBytes;
      this.#progress(doneBytes);
      await this.#count(pack);
      good.add(pack.packId, pack.sound);
    }
    await this.#walk(good, true);
    yield* this.#take(() => true);
  }

  #reads(): (entry: { readonly digest: Uint8Array }) => boolean {
    if (this.#sample) return ({ digest }) => this.#sample?.arc.has(digest) ?? true;
    return () => this.report.mode === 'all';
  }

  #progress(doneBytes: number): void {
    this.#doneBytes = Math.min(doneBytes, this.#packs.totalBytes);
    this.#options.onProgress?.({ doneBytes: this.#doneBytes, totalBytes: this.#packs.totalBytes });
  }

  async #count(pack: CheckedPack): Promise<void> {
    const { packId, sound, bad, checked, readBytes } = pack;
    const key = packKey(packId);
    const error = pack.structure ?? bad[0]?.error;
    if (error?.code === 'REPO_CHUNK_MISSING' && !(await this.#deps.store.stat(key, this.#call))) return; // collected meanwhile: the walk tells who needs it
    if (error && this.#quarantined.has(key)) this.report.quarantinedPacks += 1;
    else if (error) this.#log.note(key, error);
    for (const { entry } of bad) {
      this.#found.chunk(entry.digest, key);
      const location = await this.#index.find(entry.digest, this.#call);
      if (location && location.packId !== packId) this.report.healed += 1;
    }
    this.report.packs += 1;
    this.report.chunks += sound.length + bad.length;
    this.report.checkedChunks += checked;
    this.report.readBytes += readBytes;
    if (!(await this.#isReferred(pack))) this.report.orphanPacks += 1;
  }

  /** A pack that a killed run left has no chunk that an index table leads to. */
  async #isReferred({ packId, sound, bad }: CheckedPack): Promise<boolean> {
    for (const entries of [sound, bad.map(({ entry }) => entry)])
      for (const { digest } of entries) if ((await this.#index.find(digest, this.#call))?.packId === packId) return true;
    return sound.length === 0;
  }

  async #walk(good: GoodChunks, final: boolean): Promise<void> {
    const { store, codecs, points } = this.#deps;
    const walk = new ReferenceWalk({
      index: this.#index,
      chunks: new ChunkReader(store, this.#index, codecs),
      good,
      log: this.#log,
      packs: this.#packs,
      onLost: (digest, key) => this.#found.chunk(digest, key),
      first: this.#firstWindow,
      final,
    });
    this.#firstWindow = false;
    for await (const listed of points.readAll(this.#places, this.#call)) {
      if (listed.kind === 'point') await walk.walk(listed.point, this.#call);
    }
  }

  *#take(isComplete: (key: string) => boolean): Generator<Damage, void> {
    for (const damage of this.#log.take(isComplete)) {
      this.#found.damage(damage);
      for (const { pointId } of damage.affects) this.#soundPoints.delete(pointId);
      this.report.damaged += 1;
      if (damage.harmless) this.report.harmless += 1;
      yield damage;
    }
  }

  /** For those who come after: writers, which count nothing damaged as stored, the next sample, and people. A store that is read-only keeps no record. */
  async writeRecord(startedAt: Date): Promise<void> {
    const { clock, randomBytes, logger } = this.#deps;
    const { points, packs, chunks, checkedChunks, readBytes, orphanPacks, damaged, mode } = this.report;
    if (mode !== 'all') for (const record of this.#records) this.report.healed += await this.#found.carry(record, this.#packs, this.#index);
    const id = newTableId(startedAt, this.#records.at(-1)?.id, randomBytes); // after all that this run knew, whatever the clocks say
    const sample = this.#sample && { seed: this.#sample.seed, percent: this.#sample.percent };
    const record: VerifyRecord = {
      id,
      startedAt: startedAt.toISOString(),
      finishedAt: clock.now().toISOString(),
      mode,
      sample: sample ?? null,
      nextSample: this.#nextSample(),
      counts: { points, packs, chunks, checkedChunks, readBytes, orphanPacks, damaged, healed: this.report.healed },
      ...this.#found.toRecord(),
      soundPoints: mode === 'all' ? [...this.#soundPoints] : [],
      quarantined: [...this.#quarantined].filter((key) => this.#packs.has(parsePackKey(key) ?? '')),
    };
    try {
      await writeVerifyRecord(this.#deps, record, this.#call);
      this.report.record = verifyRecordKey(id);
    } catch (error) {
      if (!isRepositoryError(error, 'REPO_NOT_WRITABLE', 'REPO_NO_SPACE')) throw error;
      logger.warn({ key: verifyRecordKey(id), code: error.code }, 'the result of verify could not be stored');
    }
  }

  #nextSample(): string {
    const { mode } = this.#options;
    const before = this.#records.at(-1)?.nextSample;
    // One that was asked to begin somewhere repeats another: the round of samples goes on where it was.
    if (this.#sample && !(typeof mode === 'object' && mode.seed !== undefined)) return this.#sample.arc.end;
    return before ?? toHex(this.#deps.randomBytes(4));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#index[Symbol.asyncDispose]();
  }
}
