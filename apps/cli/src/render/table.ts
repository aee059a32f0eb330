import { usageError } from '../errors.ts';

/** One column as `one*` prints it; `name` is what `-l` and the header say. */
export interface Column<Row> {
  readonly name: string;
  readonly align?: 'left' | 'right';
  readonly value: (row: Row) => string | number | undefined;
  /** Shown only when asked for with -l. */
  readonly extra?: boolean;
}

export interface TableOptions {
  /** `ID,NAME`: these columns in this order. */
  readonly list?: string;
  readonly csv?: boolean;
  readonly header?: boolean;
  /** Of the terminal; longer lines are left alone when absent. */
  readonly width?: number;
}

/** Rows as aligned text with a header, or as CSV (RFC 4180) that any program reads back. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], options: TableOptions = {}): string[] {
  const chosen = chooseColumns(columns, options.list);
  const names = chosen.map((column) => column.name);
  const cells = rows.map((row) => chosen.map((column) => String(column.value(row) ?? '-')));
  const lines = options.header === false ? cells : [names, ...cells];
  if (options.csv === true) return lines.map((line) => line.map(csvCell).join(','));
  const widths = names.map((_, at) => Math.max(0, ...lines.map((line) => line[at]?.length ?? 0)));
  return lines.map((line) => alignLine(chosen, line.map(oneLine), widths).slice(0, options.width));
}

function alignLine<Row>(columns: readonly Column<Row>[], cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, at) => (columns[at]?.align === 'right' ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
    .join('  ')
    .trimEnd();
}

function chooseColumns<Row>(columns: readonly Column<Row>[], list: string | undefined): readonly Column<Row>[] {
  if (list === undefined) return columns.filter((column) => column.extra !== true);
  return list.split(',').map((name) => {
    const column = columns.find((candidate) => candidate.name.toLowerCase() === name.trim().toLowerCase());
    if (column === undefined) throw usageError(`there is no column '${name.trim()}'`, `columns: ${columns.map((candidate) => candidate.name).join(', ')}`);
    return column;
  });
}

function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A name with a line break in it must not look like two rows. */
function oneLine(text: string): string {
  return printable(text);
}

/** Names come from other people: no control character of theirs reaches the terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}
