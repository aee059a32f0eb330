import type { Repository } from '@onevault/backup-format';
import { type CallOptions, type Clock, forEachConcurrent, type Logger, Mutex, serializeError } from '@onevault/base';
import type { Database } from '@onevault/run-queue';
import type { Kysely } from 'kysely';
import { notFound } from '../errors.ts';
import type { Catalog, CatalogPoint, PointPage, RepositoryStanding, VmPoints } from '../ports/catalog.ts';
import type { RepositorySetting, SettingsStore } from '../ports/settings-store.ts';
import { CATALOG_MIGRATIONS, type CatalogTables } from './catalog-tables.ts';
import { GroupBook } from './group-book.ts';
import { readGroupSums } from './group-sums.ts';
import type { OpenRepositories } from './open-repositories.ts';
import { readPage } from './point-page.ts';
import { pointOfRow } from './point-row.ts';
import { readRepository, type Touched } from './read-repository.ts';
import { RepositoryBook } from './repository-book.ts';

export interface CatalogDeps {
  readonly database: Database;
  readonly settings: Pick<SettingsStore, 'current'>;
  readonly repositories: OpenRepositories;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface RefreshOptions extends CallOptions {
  /** Only this one: what a run has changed. */
  readonly group?: string;
  /** Counts what is stored too, which lists everything. */
  readonly weigh?: boolean;
}

/** How long after a look the next one comes. */
const EVERY_MS = 5 * 60_000;
/** So many repositories are read at once. */
const AT_ONCE = 2;

/** The catalog of restore points in the database. Lists of VMs are answered from sums in memory; everything in it is in the repositories too. */
export class DatabaseCatalog implements Catalog {
  readonly #deps: CatalogDeps;
  readonly db: Kysely<CatalogTables>;
  readonly #groups = new GroupBook();
  readonly #repositories: RepositoryBook;
  readonly #mutexes = new Map<string, Mutex>();
  readonly #listeners = new Set<(vmIds: ReadonlySet<number>) => void>();

  private constructor(deps: CatalogDeps, db: Kysely<CatalogTables>) {
    this.#deps = deps;
    this.db = db;
    this.#repositories = new RepositoryBook(db, deps);
  }

  /** Reads no repository: what was known before is there at once. */
  static async open(deps: CatalogDeps): Promise<DatabaseCatalog> {
    const catalog = new DatabaseCatalog(deps, await deps.database.schema<CatalogTables>('catalog', CATALOG_MIGRATIONS));
    await catalog.#repositories.load();
    await catalog.#sumUp(undefined);
    return catalog;
  }

  /** Which group a VM's id means now, from whoever knows the VMs that there are. A VM that is none of them means its newest group. */
  identify(currentGroup: (vmId: number) => string | undefined): void {
    this.#groups.identify(currentGroup);
  }

  ofVm(vmId: number): VmPoints {
    const sum = this.#groups.ofVm(vmId);
    return {
      count: sum?.count ?? 0,
      storedBytes: sum?.storedBytes ?? 0,
      newest: sum?.newest,
      newestGood: (repository) => {
        const good = sum?.newestGood.get(repository);
        return good && { ...good, repository };
      },
    };
  }

  /** Which restore points a VM's id means. */
  groupOf(vmId: number): string | undefined {
    return this.#groups.ofVm(vmId)?.group;
  }

  /** Newest groups of VMs that have restore points. */
  groups(): readonly { readonly vmId: number; readonly group: string; readonly newest: CatalogPoint }[] {
    return this.#groups.perVm();
  }

  async listOfVm(vmId: number, page: { readonly limit: number; readonly cursor?: string }): Promise<PointPage> {
    const group = this.#groups.ofVm(vmId)?.group;
    return group === undefined ? { items: [], next: undefined } : readPage(this.db, group, page, this.#deps.clock.now());
  }

  async get(repository: string, pointId: string): Promise<CatalogPoint | undefined> {
    const row = await this.db.selectFrom('point').selectAll().where('repository', '=', repository).where('id', '=', pointId).executeTakeFirst();
    // One of a VM that had the id before is nobody's who has it now.
    return row === undefined || this.#groups.ofVm(row.vm_id)?.group !== row.grp ? undefined : pointOfRow(row, this.#deps.clock.now());
  }

  repositories(): readonly RepositoryStanding[] {
    return this.#deps.settings.current().repositories.map((setting) => this.#repositories.standing(setting));
  }

  /** Throws SERVER_NOT_FOUND, and what kept it from being read: that stands in `repositories()` too. */
  async refresh(name: string, options: RefreshOptions = {}): Promise<void> {
    const setting = this.#deps.settings.current().repositories.find((one) => one.name === name);
    if (setting === undefined) throw notFound('repository');
    const mutex = this.#mutexes.get(name) ?? new Mutex();
    this.#mutexes.set(name, mutex);
    await mutex.run(() => this.#refresh(setting, options), options);
  }

  async refreshAll(options: CallOptions = {}): Promise<void> {
    const { repositories } = this.#deps.settings.current();
    await this.#forgetOthers(repositories);
    await forEachConcurrent(
      repositories,
      async ({ name }) => {
        await this.refresh(name, options).catch((error: unknown) => {
          options.signal?.throwIfAborted();
          this.#deps.logger.warn({ repository: name, error: serializeError(error) }, 'repository cannot be read');
        });
      },
      { ...options, concurrency: AT_ONCE },
    );
  }

  /** Looks again from time to time, until the signal. */
  async keepFresh({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    while (!signal.aborted) {
      await this.refreshAll({ signal });
      await this.#deps.clock.sleep(EVERY_MS, { signal });
    }
  }

  /** Told which VMs' restore points are others than before. */
  onChange(listener: (vmIds: ReadonlySet<number>) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** The open repository behind a name, for what changes a restore point. */
  async use<T>(name: string, work: (repository: Repository) => Promise<T>, options: CallOptions = {}): Promise<T> {
    const setting = this.#deps.settings.current().repositories.find((one) => one.name === name);
    if (setting === undefined) throw notFound('repository');
    return this.#deps.repositories.use(setting, work, options);
  }

  async #refresh(setting: RepositorySetting, options: RefreshOptions): Promise<void> {
    const { repositories, clock } = this.#deps;
    const touched = await repositories
      .use(
        setting,
        async (repository) => {
          const { touched: found, broughtBytes } = await readRepository(this.db, setting.name, repository, { ...options, now: clock.now() });
          await this.#repositories.look(setting, repository, { ...options, broughtBytes });
          return found;
        },
        options,
      )
      .catch(async (error: unknown) => {
        options.signal?.throwIfAborted();
        await this.#repositories.failed(setting, serializeError(error));
        throw error;
      });
    await this.#settle(setting.name, touched);
  }

  /** Rows of repositories that are no longer set: nothing in the repositories is touched. */
  async #forgetOthers(repositories: readonly RepositorySetting[]): Promise<void> {
    const names = new Set(repositories.map(({ name }) => name));
    for (const name of await this.#repositories.others(names)) {
      await this.db.deleteFrom('point').where('repository', '=', name).execute();
      await this.db.deleteFrom('unreadable').where('repository', '=', name).execute();
      await this.#repositories.forget(name);
      await this.#sumUp(undefined);
    }
  }

  async #settle(name: string, touched: Touched): Promise<void> {
    const alone = await this.#repositories.revise(name, touched.size > 0);
    if (touched.size > 0 || !alone) await this.#sumUp(alone ? touched : undefined);
  }

  async #sumUp(groups: Touched | undefined): Promise<void> {
    const changed = this.#groups.replace(groups, await readGroupSums(this.db, groups, this.#deps.clock.now()));
    this.#repositories.count(this.#groups.perRepository());
    if (changed.size === 0) return;
    for (const listener of this.#listeners) listener(changed);
  }
}
