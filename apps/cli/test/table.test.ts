import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Column, printable, renderTable } from '../src/render/table.ts';

interface Row {
  readonly id: number;
  readonly name: string | undefined;
}

const COLUMNS: readonly Column<Row>[] = [
  { name: 'ID', align: 'right', value: (row) => row.id },
  { name: 'NAME', value: (row) => row.name },
  { name: 'HOST', extra: true, value: () => 'h1' },
];
const ROWS: readonly Row[] = [
  { id: 7, name: 'web' },
  { id: 1234, name: undefined },
];

describe('renderTable', () => {
  test('aligns under a header and shows what is not known as a dash', () => {
    expect(renderTable(COLUMNS, ROWS)).toEqual(['  ID  NAME', '   7  web', '1234  -']);
  });

  test('shows the columns asked for, in that order, hidden ones too, whatever the case', () => {
    expect(renderTable(COLUMNS, ROWS, { list: 'host,ID' })).toEqual(['HOST    ID', 'h1       7', 'h1    1234']);
  });

  test('refuses a column that does not exist and says which there are', () => {
    expect(() => renderTable(COLUMNS, ROWS, { list: 'ID,NOPE' })).toThrow(expect.objectContaining({ code: 'CLI_USAGE', hint: 'columns: ID, NAME, HOST' }));
  });

  test('can leave the header out', () => {
    expect(renderTable(COLUMNS, ROWS, { header: false })).toEqual(['   7  web', '1234  -']);
  });

  test('prints the header of an empty list', () => {
    expect(renderTable(COLUMNS, [])).toEqual(['ID  NAME']);
  });

  test('a CSV reader gets back what was in the rows, whatever it was', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), (names) => {
        const rows = names.map((name, id) => ({ id, name }));
        const text = renderTable(COLUMNS, rows, { csv: true, header: false }).join('\n');
        expect(parseCsv(text)).toEqual(rows.map(({ id, name }) => [String(id), name]));
      }),
    );
  });

  test('a name cannot break the line or steer the terminal', () => {
    const [, line] = renderTable(COLUMNS, [{ id: 1, name: 'a\nb\u001b[2J' }]);
    expect(line).toBe(' 1  a?b?[2J');
    expect(printable('\u0000ok\u009b')).toBe('?ok?');
  });
});

/** RFC 4180 as a grammar of cells: quoted or bare, ended by a comma, a line end or the end of the text. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/y;
  for (let match = cell.exec(text); match !== null; match = match[3] === '' ? null : cell.exec(text)) {
    rows.at(-1)?.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '\n') rows.push([]);
  }
  return rows;
}
