import { statfs } from 'node:fs/promises';
import { parseStoreUrl, type Repository } from '@onevault/backup-format';
import { type CallOptions, type Clock, type Logger, type SerializedError, serializeError } from '@onevault/base';
import { type Kysely, sql } from 'kysely';
import type { RepositoryStanding } from '../ports/catalog.ts';
import type { RepositorySetting } from '../ports/settings-store.ts';
import type { CatalogTables, RepositoryFacts } from './catalog-tables.ts';

/** What is stored is counted again after so long. */
const WEIGH_EVERY_MS = 6 * 3_600_000;

interface Counts {
  readonly points: number;
  readonly damaged: number;
  readonly pointBytes: number;
}

/** How each repository stood when it was last seen. */
export class RepositoryBook {
  readonly #db: Kysely<CatalogTables>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #facts = new Map<string, RepositoryFacts>();
  readonly #revisions = new Map<string, number>();
  readonly #weighed = new Map<string, number>();
  #counts: ReadonlyMap<string, Counts> = new Map();

  constructor(db: Kysely<CatalogTables>, { clock, logger }: { readonly clock: Clock; readonly logger: Logger }) {
    this.#db = db;
    this.#clock = clock;
    this.#logger = logger;
  }

  async load(): Promise<void> {
    for (const { name, facts, revision } of await this.#db.selectFrom('repository').selectAll().execute()) {
      this.#facts.set(name, facts);
      this.#revisions.set(name, revision);
    }
  }

  standing({ name, place }: RepositorySetting): RepositoryStanding {
    const facts = this.#facts.get(name);
    const counts = this.#counts.get(name);
    return {
      name,
      place,
      encrypted: facts?.encrypted ?? false,
      reachable: facts !== undefined && facts.problem === undefined,
      problem: facts?.problem,
      points: counts?.points ?? 0,
      pointBytes: counts?.pointBytes ?? 0,
      storedBytes: facts?.storedBytes,
      freeBytes: facts?.freeBytes,
      lastVerifyAt: facts?.lastVerifyAt === undefined ? undefined : new Date(facts.lastVerifyAt),
      damagedPoints: counts?.damaged ?? 0,
    };
  }

  /** After its points were read: it is there. What new ones brought is added to what was stored when all of it was counted last. */
  async look(
    setting: RepositorySetting,
    repository: Repository,
    options: CallOptions & { readonly weigh?: boolean; readonly broughtBytes: number },
  ): Promise<void> {
    const before = this.#facts.get(setting.name);
    const records = await repository.verifyRecords(options);
    const lastVerifyAt = records.findLast(({ mode }) => mode !== 'repair')?.finishedAt;
    await this.#note(setting.name, {
      place: setting.place,
      encrypted: repository.config.encryption !== undefined,
      storedBytes:
        (await this.#weigh(setting.name, repository, options)) ?? (before?.storedBytes === undefined ? undefined : before.storedBytes + options.broughtBytes),
      freeBytes: await freeBytes(setting.place),
      lastVerifyAt,
      problem: undefined,
    });
  }

  /** What was known of it stays: it is away, not gone. */
  async failed(setting: RepositorySetting, problem: SerializedError): Promise<void> {
    const before = this.#facts.get(setting.name);
    const unknown = { encrypted: false, storedBytes: undefined, freeBytes: undefined, lastVerifyAt: undefined };
    await this.#note(setting.name, { ...unknown, ...before, place: setting.place, problem });
  }

  /** Answers whether nobody else has changed its rows since we last looked. */
  async revise(name: string, touched: boolean): Promise<boolean> {
    const row = await this.#db
      .updateTable('repository')
      .set((row) => ({ revision: touched ? sql<number>`${row.ref('revision')} + 1` : row.ref('revision') }))
      .where('name', '=', name)
      .returning('revision')
      .executeTakeFirst();
    const expected = (this.#revisions.get(name) ?? 0) + (touched ? 1 : 0);
    const revision = row?.revision ?? expected;
    this.#revisions.set(name, revision);
    return revision === expected;
  }

  /** From the sums of all groups. */
  count(counts: ReadonlyMap<string, Counts>): void {
    this.#counts = counts;
  }

  /** Those that have rows and are not among `names`. */
  async others(names: ReadonlySet<string>): Promise<string[]> {
    return [...new Set([...this.#facts.keys(), ...this.#counts.keys()])].filter((name) => !names.has(name));
  }

  async forget(name: string): Promise<void> {
    await this.#db.deleteFrom('repository').where('name', '=', name).execute();
    for (const map of [this.#facts, this.#revisions, this.#weighed]) map.delete(name);
  }

  async #note(name: string, facts: RepositoryFacts): Promise<void> {
    this.#facts.set(name, facts);
    const text = JSON.stringify(facts);
    await this.#db
      .insertInto('repository')
      .values({ name, facts: text, revision: 0 })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ facts: text }))
      .execute();
  }

  async #weigh(name: string, repository: Repository, { weigh = false, ...options }: CallOptions & { readonly weigh?: boolean }): Promise<number | undefined> {
    const now = this.#clock.monotonicMs();
    const last = this.#weighed.get(name);
    if (!weigh && last !== undefined && now - last < WEIGH_EVERY_MS) return undefined;
    this.#weighed.set(name, now);
    try {
      return await repository.storedBytes(options);
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#logger.warn({ repository: name, error: serializeError(error) }, 'what is stored cannot be counted');
      return undefined;
    }
  }
}

/** Of the file system that it is on; S3 does not say. */
async function freeBytes(place: string): Promise<number | undefined> {
  const address = parseStoreUrl(place);
  if (address.kind !== 'file') return undefined;
  const { bavail, bsize } = await statfs(address.path);
  return bavail * bsize;
}
