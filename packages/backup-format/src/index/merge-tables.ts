import { type CallOptions, serializeError } from '@onevault/base';
import { isRepositoryError } from '../errors.ts';
import { parseTableKey, TABLES_PREFIX, tableKey } from '../format/ids.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { planMerge } from './merge-plan.ts';
import { type MergeChoices, mergeRun, type RunCounts } from './merge-run.ts';
import { TableBuilder } from './table-builder.ts';
import { mergedTableId } from './table-id.ts';
import type { IndexTable } from './table-reader.ts';

export type MergeDeps = Pick<RepositoryParts, 'store' | 'owner' | 'index' | 'randomBytes' | 'logger'>;

export interface MergeOptions extends CallOptions, MergeChoices {
  /** Entries that one merge may read: bounds its time (about a second for every million) and what it writes. By default any number. */
  readonly maxEntries?: number;
}

export interface MergeReport extends RunCounts {
  readonly merges: number;
  /** Tables before and after. */
  readonly tablesBefore: number;
  readonly tables: number;
  /** False when a table that names dropped packs may be left: one is damaged, or others merged at the same time. Nothing may be deleted then. */
  readonly complete: boolean;
  /** Tables that could not be merged because the store does not let them be deleted yet. */
  readonly lockedTables: number;
}

/** How often others may come in between before this merge leaves the rest to the next one. */
const MAX_DISTURBANCES = 8;

/**
 * Merges index tables until there are few (`planMerge`), and leaves out the packs that `dropPack` names. Needs no lock: a merged table is durable before
 * the tables that it stands for are deleted, it takes their place in the order of age, and a merge in whose range something changed meanwhile is taken
 * back. Readers that hold a deleted table look for tables again. A crash leaves tables that say the same twice. Memory: see `mergeRun`.
 */
export async function mergeTables(deps: MergeDeps, options: MergeOptions = {}): Promise<MergeReport> {
  const merging = new Merging(deps, options);
  const tablesBefore = (await merging.survey()).length;
  while (await merging.once());
  return { ...merging.counts, merges: merging.merges, tablesBefore, ...(await merging.rest()) };
}

interface Surveyed {
  readonly id: string;
  readonly table: IndexTable | undefined;
  readonly entries: number;
  readonly mergeable: boolean;
  readonly touched: boolean;
}

class Merging {
  merges = 0;
  counts = { readEntries: 0, droppedEntries: 0, supersededEntries: 0 };
  readonly #deps: MergeDeps;
  readonly #options: MergeOptions;
  readonly #call: CallOptions;
  /** Tables that turned out to be damaged. */
  readonly #refused = new Set<string>();
  /** Tables that the store does not let anybody delete: merged, they would only be there twice. */
  readonly #locked = new Set<string>();
  /** Whether a table names packs to be dropped, by its id: found out once. */
  readonly #touched = new Map<string, boolean>();
  #disturbances = 0;

  constructor(deps: MergeDeps, options: MergeOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#call = options.signal ? { signal: options.signal } : {};
  }

  /** All tables there are, the newest first. */
  async survey(): Promise<Surveyed[]> {
    const { store, index } = this.#deps;
    await index.reload();
    const open = new Map(index.tables.map((table) => [table.id, table]));
    const ids = (await listTables(store, this.#call)).reverse();
    const surveyed: Surveyed[] = [];
    for (const id of ids) {
      const table = this.#refused.has(id) ? undefined : open.get(id);
      const mergeable = table !== undefined && !this.#locked.has(id);
      surveyed.push({ id, table, entries: table?.footer.entries ?? 0, mergeable, touched: await this.#isTouched(table) });
    }
    return surveyed;
  }

  async #isTouched(table: IndexTable | undefined): Promise<boolean> {
    const { dropPack } = this.#options;
    if (!dropPack || !table) return false;
    const known = this.#touched.get(table.id);
    if (known !== undefined) return known;
    let touched = false;
    try {
      for await (const { packId } of table.packs(this.#call)) touched ||= dropPack(packId);
    } catch (error) {
      this.#refuse(error);
      return true;
    }
    this.#touched.set(table.id, touched);
    return touched;
  }

  /** One merge; false when there is none to make. */
  async once(): Promise<boolean> {
    const surveyed = await this.survey();
    const run = planMerge(surveyed, this.#options.maxEntries ?? Number.POSITIVE_INFINITY);
    if (!run || this.#disturbances >= MAX_DISTURBANCES) return false;
    const tables = surveyed.slice(run.from, run.to).flatMap(({ table }) => table ?? []);
    await this.#merge(tables);
    return true;
  }

  async rest(): Promise<{ readonly tables: number; readonly complete: boolean; readonly lockedTables: number }> {
    const surveyed = await this.survey();
    const complete = surveyed.every(({ table, touched }) => table !== undefined && !touched);
    return { tables: surveyed.length, complete, lockedTables: this.#locked.size };
  }

  /** Changes nothing when others are at work on the same tables, or one of them is damaged. */
  async #merge(tables: readonly IndexTable[]): Promise<void> {
    const newest = tables[0];
    const tableId = newest && mergedTableId(newest.id, this.#deps.randomBytes);
    const counts = tableId === undefined ? undefined : await this.#write(tableId, tables);
    if (!counts) {
      this.#disturbances += 1;
      return;
    }
    if (!(await this.#deleteAll(tables, tableId))) return;
    this.#count(counts);
    this.#deps.logger.debug({ tables: tables.length, tableId, ...counts }, 'merged index tables');
  }

  /** False when the first of them is locked: then the merged table is taken back. One that is locked later stays, and says again what the merged one says. */
  async #deleteAll(tables: readonly IndexTable[], mergedId: string | undefined): Promise<boolean> {
    const { store } = this.#deps;
    let deleted = 0;
    for (const table of [...tables].reverse()) {
      try {
        await store.delete(table.key, this.#call);
        deleted += 1;
      } catch (error) {
        if (!isRepositoryError(error, 'REPO_OBJECT_LOCKED')) throw error;
        this.#locked.add(table.id);
      }
    }
    if (deleted > 0 || mergedId === undefined) return true;
    await store.delete(tableKey(mergedId), this.#call);
    return false;
  }

  /** The merged table is durable when this resolves with its counts. */
  async #write(tableId: string, tables: readonly IndexTable[]): Promise<RunCounts | undefined> {
    const { store, owner } = this.#deps;
    const builder = await TableBuilder.open(store, { ...owner, tableId }, this.#deps, this.#call);
    try {
      const counts = await mergeRun(builder, tables, this.#options, this.#call);
      const undisturbed = await this.#isUndisturbed(tableId, tables);
      if (!undisturbed || builder.entries === 0) {
        await builder.abort();
        return undisturbed ? counts : undefined;
      }
      await builder.commit();
      if (await this.#isUndisturbed(tableId, tables)) return counts;
      await store.delete(tableKey(tableId), this.#call);
      return undefined;
    } catch (error) {
      await builder.abort();
      this.#refuse(error);
      return undefined;
    }
  }

  /**
   * Whether the tables to be replaced are all there and no other one has come to stand among them. Looked at after the merged table is durable: of two
   * merges that overlap at least one sees the other, and a writer looks for later tables after its own (`TableFlusher`).
   */
  async #isUndisturbed(tableId: string, tables: readonly IndexTable[]): Promise<boolean> {
    const there = new Set(await listTables(this.#deps.store, this.#call));
    const inputs = new Set(tables.map(({ id }) => id));
    const oldest = tables.at(-1)?.id ?? tableId;
    for (const id of there) if (id > oldest && id < tableId && !inputs.has(id)) return false;
    return tables.every(({ id }) => there.has(id));
  }

  #count(counts: RunCounts): void {
    this.merges += 1;
    this.counts = {
      readEntries: this.counts.readEntries + counts.readEntries,
      droppedEntries: this.counts.droppedEntries + counts.droppedEntries,
      supersededEntries: this.counts.supersededEntries + counts.supersededEntries,
    };
  }

  /** A damaged table is left as it is, for repair; one that is gone was merged by another. Anything else is thrown. */
  #refuse(error: unknown): void {
    if (!isRepositoryError(error)) throw error;
    const { key = '' } = error.details;
    const id = parseTableKey(key);
    if (id === undefined) throw error;
    if (isRepositoryError(error, 'REPO_OBJECT_MISSING', 'REPO_OBJECT_EXISTS')) return;
    if (!isRepositoryError(error, 'REPO_INDEX_INVALID', 'REPO_OBJECT_TRUNCATED')) throw error;
    this.#refused.add(id);
    this.#deps.logger.warn({ key, error: serializeError(error) }, 'index table is damaged and was not merged');
  }
}

/** Ids of all tables, ascending. */
async function listTables(store: MergeDeps['store'], options: CallOptions): Promise<string[]> {
  const ids: string[] = [];
  for await (const { key } of store.list(TABLES_PREFIX, options)) {
    const id = parseTableKey(key);
    if (id !== undefined) ids.push(id);
  }
  return ids;
}
