/** A report as data; every format is made of it. */
export interface TableReport {
  readonly title: string;
  /** Under the title: sums, when, of what. */
  readonly notes: readonly string[];
  readonly tables: readonly ReportTable[];
}

export interface ReportTable {
  readonly title: string;
  readonly columns: readonly { readonly key: string; readonly title: string; readonly unit?: 'bytes' | 'ms' }[];
  readonly rows: readonly Readonly<Record<string, string | number | undefined>>[];
}

export type ReportFormat = 'html' | 'csv' | 'json';

export const CONTENT_TYPES: Readonly<Record<ReportFormat, string>> = {
  html: 'text/html; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
  json: 'application/json',
};

export function renderReport(report: TableReport, format: ReportFormat, at: Date): string {
  if (format === 'json') return jsonOf(report, at);
  return format === 'csv' ? csvOf(report) : htmlOf(report, at);
}

function jsonOf({ title, notes, tables }: TableReport, at: Date): string {
  return `${JSON.stringify({ title, at: at.toISOString(), notes, tables: tables.map(({ title: name, rows }) => ({ title: name, rows })) }, undefined, 2)}\n`;
}

/** RFC 4180. Several tables are told apart by an empty line and by their titles. */
function csvOf({ tables }: TableReport): string {
  const line = (cells: readonly (string | number | undefined)[]): string => `${cells.map(csvCell).join(',')}\r\n`;
  const parts = tables.map(({ title, columns, rows }) =>
    [...(tables.length > 1 ? [line([title])] : []), line(columns.map(({ key }) => key)), ...rows.map((row) => line(columns.map(({ key }) => row[key])))].join(
      '',
    ),
  );
  return parts.join('\r\n');
}

/** What a spreadsheet takes for a formula is text: names are given by users of the cloud, and the reader is an administrator. */
function csvCell(value: string | number | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[\s\p{Cc}]*[=+\-@|%]/u.test(value) || /^[\t\r\n]/.test(value) ? `'${value}` : value;
  return /[",\r\n;\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const STYLE = `
body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1a1a1a;background:#fff}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.15rem 0;color:#444}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:anywhere}
th{background:#f3f3f3}td.number,th.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
@media print{body{margin:0;max-width:none}tr{break-inside:avoid}thead{display:table-header-group}}`;

/** One file that needs nothing else: no script, no picture, no font from anywhere. */
function htmlOf({ title, notes, tables }: TableReport, at: Date): string {
  return [
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><title>${escaped(title)}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escaped(title)}</h1><p>${escaped(at.toISOString())}</p>${notes.map((note) => `<p>${escaped(note)}</p>`).join('')}`,
    ...tables.map(htmlTable),
    '</body></html>\n',
  ].join('\n');
}

function htmlTable({ title, columns, rows }: ReportTable): string {
  const head = columns.map(({ title: name, unit }) => `<th scope="col"${unit === undefined ? '' : ' class="number"'}>${escaped(name)}</th>`).join('');
  const body = rows.map((row) => `<tr>${columns.map(({ key, unit }) => htmlCell(row[key], unit)).join('')}</tr>`);
  return `<h2>${escaped(title)}</h2><table><thead><tr>${head}</tr></thead><tbody>\n${body.join('\n')}\n</tbody></table>`;
}

function htmlCell(value: string | number | undefined, unit: 'bytes' | 'ms' | undefined): string {
  if (typeof value !== 'number') return `<td>${escaped(value ?? '')}</td>`;
  return `<td class="number">${escaped(unit === 'bytes' ? readableBytes(value) : unit === 'ms' ? readableMs(value) : String(value))}</td>`;
}

function readableBytes(bytes: number): string {
  const exponent = bytes < 1024 ? 0 : Math.min(5, Math.floor(Math.log2(bytes) / 10));
  return `${exponent === 0 ? bytes : (bytes / 1024 ** exponent).toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][exponent]}`;
}

function readableMs(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes < 120 ? (minutes < 1 ? `${Math.round(ms / 1000)} s` : `${minutes} min`) : `${(minutes / 60).toFixed(1)} h`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');
}
