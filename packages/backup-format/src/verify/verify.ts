import type { CallOptions } from '@onevault/base';
import { readConfig } from '../config-object.ts';
import { isRepositoryError, RepositoryError } from '../errors.ts';
import { CONFIG_KEY, packKey, parsePackKey } from '../format/ids.ts';
import { ChunkIndex } from '../index/chunk-index.ts';
import { ChunkReader } from '../read/chunk-reader.ts';
import type { Damage, VerifyProgress, VerifyReport } from '../repository-api.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { DamageLog } from './damage-log.ts';
import { GoodChunks } from './good-chunks.ts';
import { type CheckedPack, checkPack } from './pack-check.ts';
import { PackIds } from './pack-ids.ts';
import { ReferenceWalk } from './reference-walk.ts';
import { checkTables } from './table-check.ts';

/** `index` is the repository's own, told which chunks are damaged so that the next backup stores them anew. */
export type VerifyDeps = Pick<RepositoryParts, 'store' | 'config' | 'codecs' | 'index' | 'points' | 'logger'>;

export type VerifyOptions = CallOptions & { readonly onProgress?: (progress: VerifyProgress) => void };

type MutableReport = { -readonly [K in keyof VerifyReport]: VerifyReport[K] };

/**
 * Reads every object once and checks it, then follows every reference. Packs are checked in windows of a bounded number of chunks; after each window
 * the restore points are walked for what refers into it. Memory: 16 bytes for every pack, 32 MiB for a window, the index page cache, what is damaged.
 */
export async function* verifyRepository(deps: VerifyDeps, options: VerifyOptions = {}): AsyncGenerator<Damage, VerifyReport> {
  const call = options.signal ? { signal: options.signal } : {};
  const log = new DamageLog();
  const report: MutableReport = { points: 0, packs: 0, chunks: 0, readBytes: 0, damaged: 0, orphanPacks: 0 };
  await checkConfig(deps, log, call);
  await checkManifests(deps, log, report, call);
  const packs = await PackIds.list(deps.store, call);
  report.readBytes += await checkTables(deps.store, deps.config.id, packs, log, call);
  yield* verifyPacks(new Verification(deps, log, report, packs, options), packs, log);
  return { ...report, damaged: log.total };
}

async function checkConfig(deps: VerifyDeps, log: DamageLog, call: CallOptions): Promise<void> {
  try {
    const config = await readConfig(deps.store, call);
    if (config.id !== deps.config.id)
      log.note(
        CONFIG_KEY,
        new RepositoryError({ code: 'REPO_CONFIG_INVALID', message: `the config is that of the repository ${config.id}`, details: { key: CONFIG_KEY } }),
      );
  } catch (error) {
    if (!isRepositoryError(error, 'REPO_CONFIG_INVALID', 'REPO_NOT_FOUND', 'REPO_UNSUPPORTED_VERSION')) throw error;
    log.note(CONFIG_KEY, error);
  }
}

async function checkManifests(deps: VerifyDeps, log: DamageLog, report: MutableReport, call: CallOptions): Promise<void> {
  for await (const listed of deps.points.list({}, call)) {
    report.points += 1;
    if (listed.kind === 'damaged') log.note(listed.key, listed.error);
  }
}

async function* verifyPacks(verification: Verification, packs: PackIds, log: DamageLog): AsyncGenerator<Damage, void> {
  let good = new GoodChunks('');
  for (const packId of packs) {
    if (good.full) {
      const { last } = good;
      await verification.walk(good, false);
      yield* log.take((key) => (parsePackKey(key) ?? '') <= last);
      good = new GoodChunks(good.last);
    }
    await verification.check(packId, good);
  }
  await verification.walk(good, true);
  yield* log.take(() => true);
}

class Verification {
  readonly #deps: VerifyDeps;
  readonly #log: DamageLog;
  readonly #report: MutableReport;
  readonly #totalBytes: number;
  readonly #call: CallOptions;
  readonly #onProgress: (progress: VerifyProgress) => void;
  /** Fresh, so that nothing remembered hides what the store has now. */
  readonly #index: ChunkIndex;
  #doneBytes = 0;
  #firstWindow = true;

  constructor(deps: VerifyDeps, log: DamageLog, report: MutableReport, packs: PackIds, options: VerifyOptions) {
    this.#deps = deps;
    this.#log = log;
    this.#report = report;
    this.#totalBytes = packs.totalBytes;
    this.#call = options.signal ? { signal: options.signal } : {};
    this.#onProgress = options.onProgress ?? (() => undefined);
    this.#index = new ChunkIndex(deps.store, deps.config.id, deps.logger);
  }

  async check(packId: string, good: GoodChunks): Promise<void> {
    const key = packKey(packId);
    this.#call.signal?.throwIfAborted();
    const found = await this.#deps.store.stat(key, this.#call);
    if (!found) return; // removed since it was listed: whoever refers to it is told by the walk
    const start = this.#doneBytes;
    const onBytes = (bytes: number): void => this.#progress(this.#doneBytes + bytes);
    const pack = { repositoryId: this.#deps.config.id, packId, packBytes: found.sizeBytes };
    const checked = await checkPack(this.#deps.store, this.#deps.codecs, pack, onBytes, this.#call);
    this.#progress(start + found.sizeBytes);
    this.#note(key, checked);
    good.add(packId, checked.good);
    this.#report.packs += 1;
    this.#report.chunks += checked.good.length + checked.bad.length;
    this.#report.readBytes += found.sizeBytes;
    if (!(await this.#isReferred(packId, checked))) this.#report.orphanPacks += 1;
  }

  #progress(doneBytes: number): void {
    this.#doneBytes = doneBytes;
    this.#onProgress({ doneBytes, totalBytes: this.#totalBytes });
  }

  #note(key: string, checked: CheckedPack): void {
    const error = checked.structure ?? checked.bad[0]?.error;
    if (error) this.#log.note(key, error);
    for (const { entry } of checked.bad) this.#deps.index.suspect(entry.digest);
  }

  /** A pack that a killed run left has no chunk that an index table leads to. */
  async #isReferred(packId: string, checked: CheckedPack): Promise<boolean> {
    for (const entry of [...checked.good, ...checked.bad.map((bad) => bad.entry)]) {
      if ((await this.#index.find(entry.digest, this.#call))?.packId === packId) return true;
    }
    return checked.good.length === 0;
  }

  async walk(good: GoodChunks, final: boolean): Promise<void> {
    const chunks = new ChunkReader(this.#deps.store, this.#index, this.#deps.codecs);
    const walk = new ReferenceWalk({ index: this.#index, chunks, good, log: this.#log, first: this.#firstWindow, final });
    this.#firstWindow = false;
    for await (const listed of this.#deps.points.list({}, this.#call)) {
      if (listed.kind === 'point') await walk.walk(listed.point, this.#call);
    }
  }
}
