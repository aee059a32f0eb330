import { formatRetentionReason, parseRetentionPolicy, planRetention } from '@onevault/backup-format';
import { systemClock } from '@onevault/base';
import { compilePolicy, parsePolicy } from '@onevault/policies';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { policyOfPoint } from '../../src/catalog/point-row.ts';
import { callOf } from '../../testing/index.ts';
import { addPoint, type CatalogLab, openLab } from '../catalog/catalog-lab.ts';
import { openState, type StateUnderTest } from './state-lab.ts';

const RETENTION = { keepLast: 2, keepDaily: 7, keepWeekly: 4, keepMonthly: 3, keepTags: [['gold']] };
const DOCUMENT = {
  kind: 'backup',
  name: 'nightly',
  repository: 'main',
  timezone: 'Europe/Berlin',
  select: { include: ['*'] },
  schedules: [{ at: '22:30' }],
  retention: RETENTION,
};
const NOW = new Date('2026-11-27T12:00:00Z');

let lab: CatalogLab;
let state: StateUnderTest;
beforeAll(async () => {
  lab = await openLab();
  const repository = await lab.repository('main');
  const ids: string[] = [];
  // Over a change of the clock, month ends and a gap; two VMs; some on the same day; one by hand.
  for (let day = 0; day < 70; day++) {
    if (day > 30 && day < 36) continue;
    const at = new Date(NOW.getTime() - day * 86_400_000 - (day % 3) * 3_600_000).toISOString();
    ids.push(await addPoint(repository, { vmId: 1 + (day % 2), capturedAt: at, policy: 'nightly' }));
    if (day % 10 === 0) ids.push(await addPoint(repository, { vmId: 1, capturedAt: new Date(Date.parse(at) - 60_000).toISOString(), policy: 'nightly' }));
  }
  await addPoint(repository, { vmId: 1, capturedAt: '2026-09-01T00:00:00Z' });
  await repository.marks.hold(ids[50] ?? '', { reason: 'ticket 42', by: 'eva', until: '2026-12-24T00:00:00Z' });
  await repository.marks.tag(ids[55] ?? '', ['gold']);
  const compiled = compilePolicy(parsePolicy(DOCUMENT), NOW.getTime());
  state = await openState(lab, { vmIds: [1, 2], policies: [compiled], clock: { ...systemClock, now: () => NOW } });
  await state.catalog.refresh('main');
}, 60_000);
afterAll(() => lab[Symbol.asyncDispose]());

interface Page {
  readonly items: readonly { readonly pointId: string; readonly keptBy: readonly string[]; readonly goesOn?: string }[];
  readonly next?: string;
}

async function calendar(on?: string, limit = 500): Promise<Page['items']> {
  const items: Page['items'][number][] = [];
  let cursor: string | undefined;
  do {
    const query = { limit, ...(on !== undefined && { on }), ...(cursor !== undefined && { cursor }) };
    const page = (await state.ask('retentionCalendar', callOf({ params: { name: 'nightly' }, query }))) as Page;
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== undefined);
  return items;
}

/** What `onevault retention preview` prints, from the repository itself. */
async function previewed(asOf: Date): Promise<Map<string, readonly string[]>> {
  const policy = parseRetentionPolicy({ timezone: 'Europe/Berlin', ...RETENTION });
  const plan = await state.catalog.use('main', (repository) =>
    planRetention(repository, policy, asOf, { wants: (point) => policyOfPoint(point) === 'nightly' }),
  );
  return new Map(
    plan.groups.flatMap(({ selection }) =>
      selection.decisions.map(({ point, verdict, reasons }) => [point.id, verdict === 'forget' ? [] : reasons.map(formatRetentionReason)] as const),
    ),
  );
}

describe('the retention calendar', () => {
  it.each([undefined, '2026-12-24T00:00:01Z', '2026-11-01T00:00:00Z'])('says of every restore point what the preview of retention says (on %s)', async (on) => {
    const expected = await previewed(on === undefined ? NOW : new Date(on));
    const items = await calendar(on);
    expect(new Map(items.map(({ pointId, keptBy }) => [pointId, keptBy]))).toEqual(expected);
    expect(items.some(({ keptBy }) => keptBy.length === 0)).toBe(true);
    expect(items.some(({ keptBy }) => keptBy.length > 0)).toBe(true);
  });

  it('is the same page by page', async () => {
    expect(await calendar(undefined, 7)).toEqual(await calendar());
  });

  it('says when what is kept goes: not before the run that it is named after, and then it does', async () => {
    const items = await calendar();
    const policy = parseRetentionPolicy({ timezone: 'Europe/Berlin', ...RETENTION });
    const dated = items.filter(({ keptBy, goesOn }) => keptBy.length > 0 && goesOn !== undefined);
    expect(dated.length).toBeGreaterThan(10);
    const repository = await lab.repository('sandbox');
    // The same points, and one each night from now on.
    await state.catalog.use('main', async (main) => {
      for await (const listed of main.points({ group: 'vm-1-a' }))
        if (listed.kind === 'point' && policyOfPoint(listed.point) === 'nightly') await addPoint(repository, { vmId: 1, capturedAt: listed.point.capturedAt });
    });
    const newest = dated.find(({ keptBy }) => keptBy.some((reason) => reason.startsWith('last#')));
    const goesOn = new Date(newest?.goesOn ?? '');
    for (let at = Date.parse('2026-11-27T21:30:00Z'); at <= goesOn.getTime(); at += 86_400_000)
      await addPoint(repository, { vmId: 1, capturedAt: new Date(at).toISOString() });
    const captured = (await state.catalog.get('main', newest?.pointId ?? ''))?.capturedAt.toISOString();
    const verdictOn = async (asOf: Date) =>
      (await planRetention(repository, policy, asOf)).groups[0]?.selection.decisions.find(
        ({ point }) => Date.parse(point.capturedAt) === Date.parse(captured ?? ''),
      )?.verdict;
    expect(await verdictOn(goesOn)).toBe('forget');
    lab.stores.delete('sandbox');
  });

  it('of points that no policy took says that they stay, in the list of a VM', async () => {
    const page = (await state.ask('listPointsOfVm', callOf({ params: { vmId: 1 }, query: { limit: 500 } }))) as Page & {
      items: readonly { capturedAt: string }[];
    };
    expect(page.items.at(-1)).toMatchObject({ capturedAt: '2026-09-01T00:00:00.000Z', keptBy: ['no-policy'] });
    const expected = await previewed(NOW);
    for (const item of page.items.slice(0, -1)) expect(item.keptBy).toEqual(expected.get((item as unknown as { id: string }).id));
  });
});
