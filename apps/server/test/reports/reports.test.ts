import { silentLogger } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import { type Protection, protectionOf } from '@onevault/policies';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Call, FileAnswer } from '../../src/ports/call.ts';
import { reportHandlers } from '../../src/reports/report-handlers.ts';
import { renderReport } from '../../src/reports/table-report.ts';
import { backupPolicy, callOf, fleet, inventoryVm, repositoryStanding, SOMEBODY } from '../../testing/index.ts';

const NOW = Date.UTC(2026, 10, 10, 12);
const HOUR = 3_600_000;
const VMS = [
  inventoryVm(1, { owner: 'alice' }),
  inventoryVm(2, { owner: 'bob', group: 'web', name: '<script>alert(1)</script>' }),
  inventoryVm(3, { owner: 'bob', group: 'web', name: '=HYPERLINK("http://x")' }),
  inventoryVm(4, { owner: 'carol' }, { exists: false }),
];

function world() {
  const { inventory, catalog } = fleet({
    vms: VMS,
    capturedMs: (id) => (id === 3 ? undefined : NOW - id * 20 * HOUR),
    repositories: [repositoryStanding(), repositoryStanding({ name: 'away' })],
  });
  const policies = [backupPolicy('nightly')];
  const handlers = reportHandlers({
    clock: new FakeClock({ startMs: NOW }),
    logger: silentLogger,
    inventory,
    catalog,
    protectionOf: (id): Protection =>
      protectionOf(inventory.vm(id)?.facts ?? inventoryVm(id).facts, policies, (repository) => catalog.ofVm(id).newestGood(repository), NOW),
    drills: async (repository) => {
      if (repository === 'away') throw new Error('away');
      return [{ repository, pointId: 'p-1', vmId: 1, vmName: 'vm-1', startedAt: '2026-11-09T00:00:00.000Z', outcome: 'passed', rtoMs: 90_000 }];
    },
  });
  return async (id: string, format: string, caller = SOMEBODY): Promise<FileAnswer & { readonly body: string }> =>
    (await (handlers[id] as unknown as (call: Call) => Promise<FileAnswer>)(callOf({ query: { format }, caller }))) as FileAnswer & { readonly body: string };
}

describe('reports', () => {
  it('tell protection, the worst first, with sums', async () => {
    const { body, filename, contentType } = await world()('protectionReport', 'json');
    const report = JSON.parse(body) as { notes: string[]; tables: { rows: { id: number; protection: string; lateMs?: number }[] }[] };
    expect({ filename, contentType }).toEqual({ filename: 'onevault-protection-2026-11-10.json', contentType: 'application/json' });
    expect(report.tables[0]?.rows.map(({ id, protection }) => [id, protection])).toEqual([
      [3, 'unprotected'],
      [2, 'out-of-rpo'],
      [1, 'protected'],
    ]);
    expect(report.tables[0]?.rows[1]?.lateMs).toBe(14 * HOUR);
    expect(report.notes[0]).toContain('1 of 3');
  });

  it('sum sizes by owner and group; what is gone counts', async () => {
    const { tables } = JSON.parse((await world()('sizesReport', 'json')).body) as { tables: { rows: Record<string, unknown>[] }[] };
    expect(tables[0]?.rows.toSorted((a, b) => String(a['owner']).localeCompare(String(b['owner'])))).toEqual([
      { owner: 'alice', vms: 1, gone: 0, points: 1, sizeBytes: 200, storedBytes: 50 },
      { owner: 'bob', vms: 2, gone: 0, points: 1, sizeBytes: 200, storedBytes: 50 },
      { owner: 'carol', vms: 1, gone: 1, points: 1, sizeBytes: 200, storedBytes: 50 },
    ]);
    expect(tables[1]?.rows.map(({ group }) => group).toSorted()).toEqual(['users', 'web']);
  });

  it('tell drills, who never passed one, and which repository is missing', async () => {
    const { notes, tables } = JSON.parse((await world()('drillsReport', 'json')).body) as { notes: string[]; tables: { rows: { id?: number }[] }[] };
    expect(tables[0]?.rows).toMatchObject([{ vmId: 1, outcome: 'passed', rtoMs: 90_000 }]);
    expect(tables[1]?.rows.map(({ id }) => id)).toEqual([2, 4]);
    expect(notes.join()).toContain('away');
  });

  it.each(['protectionReport', 'sizesReport', 'drillsReport'])('%s has nothing of what the caller may not USE', async (id) => {
    const caller = { ...SOMEBODY, mayUse: ({ facts }: (typeof VMS)[number]) => facts.owner === 'alice' };
    for (const format of ['html', 'csv', 'json']) expect((await world()(id, format, caller)).body).not.toMatch(/bob|carol|HYPERLINK|script&gt;/);
  });

  it('as HTML stand alone, and no name becomes markup', async () => {
    const { body } = await world()('protectionReport', 'html');
    expect(body).not.toMatch(/<script|src=|href=|@import|url\(/);
    expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(body.match(/<tr>/g)).toHaveLength(4);
  });

  it('as CSV have as many cells in each row as columns, and no cell is a formula, whatever a name is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.constantFrom('=1+1', ' =1', '\t@x', '-2', '+3', '|x', 'a"b,c\r\nd', '%x', '\r\n=1')), (name) => {
        const report = {
          title: 't',
          notes: [],
          tables: [
            {
              title: 'x',
              columns: [
                { key: 'name', title: 'Name' },
                { key: 'n', title: 'N' },
              ],
              rows: [{ name, n: -1 }],
            },
          ],
        };
        const records = parseCsv(renderReport(report, 'csv', new Date(NOW)));
        expect(records[0]).toEqual(['name', 'n']);
        expect(records[1]?.[1]).toBe('-1');
        expect(records).toHaveLength(2);
        expect(records[1]?.[0]).not.toMatch(/^\s*[=+\-@|%]/);
        expect([name, `'${name}`]).toContain(records[1]?.[0]);
      }),
    );
  });
});

/** RFC 4180, independent of what writes it. */
function parseCsv(text: string): string[][] {
  const records: string[][] = [[]];
  let cell = '';
  for (const token of text.match(/"[^"]*"?|,|\r\n|[^",\r]+|\r/g) ?? []) {
    if (token === ',' || token === '\r\n') {
      records.at(-1)?.push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);
      cell = '';
      if (token !== ',') records.push([]);
    } else cell += token;
  }
  return records.slice(0, -1);
}
