/** What planning needs to know of a table. */
export interface PlannedTable {
  readonly entries: number;
  /** False for a table that cannot be read, or whose id leaves no room behind it: merges go up to it on either side, never across. */
  readonly mergeable: boolean;
  /** Names packs whose entries are to be left out: it is written anew, alone if need be. */
  readonly touched: boolean;
}

/** Tables `from` up to, without, `to`. */
export interface TableRun {
  readonly from: number;
  readonly to: number;
}

/** Fewer tables than this are left alone, so that a small backup does not rewrite the table of the one before. */
const MIN_TABLES = 4;
/** Tables read side by side: 512 KiB each. */
const MAX_TABLES = 32;
/** Tables below this count as this large: small ones are merged with one another, not with the large. 704 KiB. */
const SMALL_ENTRIES = 16_384;

/**
 * The next tables to merge, of all tables from the newest to the oldest; undefined when there is nothing to gain.
 *
 * Only neighbours in age are merged (a table between them would change its rank), and only as far as a table is no larger than all newer ones of the run
 * together. What is left then doubles in size from table to table: at most 3 + log2(n / 16 384) of them, 16 for 100 million entries, and an entry is
 * written again about as often.
 */
export function planMerge(tables: readonly PlannedTable[], maxEntries: number): TableRun | undefined {
  for (const segment of segments(tables)) {
    const run = longestRun(tables, segment, maxEntries);
    if (run) return run;
  }
  const touched = tables.findIndex((table) => table.mergeable && table.touched && table.entries <= maxEntries);
  return touched < 0 ? undefined : { from: touched, to: touched + 1 };
}

/** Runs of tables without one among them that cannot be merged. */
function* segments(tables: readonly PlannedTable[]): Generator<TableRun, void> {
  let from = 0;
  for (let to = 0; to <= tables.length; to++) {
    if (tables[to]?.mergeable) continue;
    if (to > from) yield { from, to };
    from = to + 1;
  }
}

function longestRun(tables: readonly PlannedTable[], segment: TableRun, maxEntries: number): TableRun | undefined {
  let weight = 0;
  let entries = 0;
  let end = segment.from;
  for (const [n, table] of tables.slice(segment.from, segment.to).entries()) {
    const own = Math.max(table.entries, SMALL_ENTRIES);
    entries += table.entries;
    if (entries > maxEntries) break;
    if (own <= weight && n + 1 >= MIN_TABLES) end = segment.from + n + 1;
    weight += own;
  }
  // Of very many tables the oldest first: what comes of them is large and stays as it is.
  return end === segment.from ? undefined : { from: Math.max(segment.from, end - MAX_TABLES), to: end };
}
