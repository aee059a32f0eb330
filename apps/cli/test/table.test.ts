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

/** RFC 4180, enough to be independent of the writer. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  let cell = '';
  let quoted = false;
  for (let at = 0; at <= text.length; at++) {
    const char = text[at];
    if (quoted && char === '"' && text[at + 1] === '"') {
      cell += '"';
      at++;
    } else if (char === '"' && (quoted || cell === '')) quoted = !quoted;
    else if (!quoted && (char === ',' || char === '\n' || char === undefined)) {
      rows.at(-1)?.push(cell);
      cell = '';
      if (char === '\n') rows.push([]);
    } else cell += char;
  }
  return rows;
}
