import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { captureTable } from '../../testing/index.ts';

const DOC = fileURLToPath(new URL('../../../../docs/opennebula.md', import.meta.url));
const BEGIN = '<!-- capture table: generated -->';
const END = '<!-- capture table: end -->';
const AGAIN = 'ONEVAULT_WRITE_DOCS=1 npx vitest run packages/orchestrator/test/plan/capture-table.test.ts';

test(`the table in docs/opennebula.md is the planner's own; after a change write it again: ${AGAIN}`, async () => {
  const doc = await readFile(DOC, 'utf8');
  const [head, rest] = doc.split(BEGIN);
  const [written, tail] = rest?.split(END) ?? [];
  if (head === undefined || written === undefined || tail === undefined) expect.fail(`docs/opennebula.md lacks ${BEGIN} … ${END}`);
  const made = `\n\n${captureTable().join('\n')}\n\n`;
  if (process.env['ONEVAULT_WRITE_DOCS'] === '1') await writeFile(DOC, [head, BEGIN, made, END, tail].join(''));
  else expect(written, `the table is out of date: ${AGAIN}`).toBe(made);
});
