import { readFile, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { definitionTable } from '../../testing/definition-table.ts';

const DOCUMENT = new URL('../../../../docs/restored-definition.md', import.meta.url);
const BEGIN = '<!-- definition table: generated -->';
const END = '<!-- definition table: end -->';

it('the table in docs/restored-definition.md is the one that is carried out (ONEVAULT_WRITE_DOCS=1 writes it)', async () => {
  const document = await readFile(DOCUMENT, 'utf8');
  const made = `\n\n${definitionTable().join('\n')}\n\n`;
  const [from, to] = [document.indexOf(BEGIN) + BEGIN.length, document.indexOf(END)];
  if (process.env['ONEVAULT_WRITE_DOCS'] === '1') await writeFile(DOCUMENT, document.slice(0, from) + made + document.slice(to));
  else expect(document.slice(from, to)).toBe(made);
});
