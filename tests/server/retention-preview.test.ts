import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRepository, fileStore, type Repository } from '@onevault/backup-format';
import { systemClock } from '@onevault/base';
import { groupOf } from '@onevault/orchestrator';
import { bodyAs } from '@onevault/server/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runMain } from '../../apps/cli/test/support/command-line.ts';
import { makeScheduledWorld, type ScheduledWorld } from '../support/scheduled-world.ts';

const DAY = 86_400_000;
const NEWEST = Date.parse('2026-11-30T21:30:00Z');

/** By name: where each keeps its points, and by what rules. Zones half a day apart, and one whose clock is set by half an hour. */
const POLICIES = {
  berlin: { timezone: 'Europe/Berlin', keepLast: 2, keepDaily: 7, keepWeekly: 4, keepMonthly: 3, keepTags: [['gold']] },
  howe: { timezone: 'Australia/Lord_Howe', keepHourly: 6, keepWithinDaily: '30d', keepYearly: 2, minimumGood: 3 },
  kiritimati: { timezone: 'Pacific/Kiritimati', keepWithin: '10d', keepMonthly: 12 },
} as const;
type Name = keyof typeof POLICIES;

let stage: ScheduledWorld;
const placeOf = (name: Name): string => join(stage.scratch, name);

beforeAll(async () => {
  stage = await makeScheduledWorld('2026-12-01T12:00:00Z');
  const group = groupOf(await stage.world.cloud.vm(stage.world.vm));
  for (const [index, name] of (Object.keys(POLICIES) as Name[]).entries()) await fill(name, group, index);
  const repositories = Object.fromEntries(
    (Object.keys(POLICIES) as Name[]).map((name) => [name, { place: placeOf(name), maintenance: { gc: 'none', verify: 'none' } }]),
  );
  const policies = Object.entries(POLICIES).map(([name, { timezone, ...retention }]) => ({
    kind: 'backup',
    name,
    repository: name,
    timezone,
    select: { include: ['name=web'] },
    schedules: [{ at: '22:30' }],
    retention,
  }));
  const reply = await stage.ask('POST', '/settings', { yaml: JSON.stringify({ repositories, policies }) });
  expect(reply.status, reply.text).toBe(200);
  // Repositories are read every few minutes, and at the start.
  await stage.stop();
  await stage.start();
}, 180_000);
afterAll(() => stage?.[Symbol.asyncDispose](), 60_000);

/** Points over a change of the clock, month ends, a gap and a leap of the year, some on one day; one is held, one tagged. */
async function fill(name: Name, group: string, index: number): Promise<void> {
  await using repository = await createRepository(fileStore(placeOf(name)), {}, { clock: systemClock });
  const ids: string[] = [];
  for (let day = 0; day < 60; day++) {
    if (day > 30 && day < 36) continue;
    const at = NEWEST - day * DAY * (day > 40 ? 5 : 1) - (day % 3) * 3_600_000 - index * 60_000;
    ids.push(await addPoint(repository, group, name, at));
    if (day % 10 === 0) ids.push(await addPoint(repository, group, name, at - 1_800_000));
  }
  await repository.marks.hold(ids[35] ?? '', { reason: 'ticket 42', by: 'eva', until: '2026-12-24T00:00:00Z' });
  await repository.marks.tag(ids[45] ?? '', ['gold']);
}

async function addPoint(repository: Repository, group: string, policy: Name, atMs: number): Promise<string> {
  await using writer = await repository.begin({ group, runId: 'run', capturedAt: new Date(atMs).toISOString(), mode: 'full' });
  return (await writer.commit({ annotations: { vm: { id: Number(stage.world.vm), name: 'web' }, policy } })).id;
}

type Verdicts = Readonly<Record<string, readonly string[]>>;

/** `onevault retention preview` on the repository itself. */
async function previewed(name: Name, at: string): Promise<Verdicts> {
  const rules = join(stage.scratch, `${name}.json`);
  await writeFile(rules, JSON.stringify(POLICIES[name]));
  const { exit, out, err } = await runMain(['--repo', placeOf(name), 'retention', 'preview', '--policy', rules, '--at', at, '--json'], { HOME: stage.scratch });
  expect(exit, err).toBe(0);
  interface Point {
    readonly id: string;
    readonly verdict: string;
    readonly reasons: readonly { readonly text: string }[];
  }
  const points = (JSON.parse(out) as { groups: { points: Point[] }[] }).groups.flatMap((one) => one.points);
  return Object.fromEntries(points.map(({ id, verdict, reasons }) => [id, verdict === 'forget' ? [] : reasons.map(({ text }) => text)]));
}

interface Day {
  readonly pointId: string;
  readonly keptBy: readonly string[];
}

/** The calendar over HTTP, in pages. */
async function calendar(name: Name, at: string): Promise<Verdicts> {
  const items: Day[] = [];
  let next: string | undefined;
  do {
    const reply = await stage.ask('GET', `/policies/${name}/calendar?limit=17&on=${at}${next === undefined ? '' : `&cursor=${next}`}`);
    expect(reply.status, reply.text).toBe(200);
    const page = bodyAs<{ readonly items: readonly Day[]; readonly next?: string }>(reply);
    items.push(...page.items);
    next = page.next;
  } while (next !== undefined);
  return Object.fromEntries(items.map(({ pointId, keptBy }) => [pointId, keptBy]));
}

/** The same through the command line that works through the server. */
async function remotely(name: Name, at: string): Promise<Verdicts> {
  const { exit, out, err } = await runMain(['retention', 'preview', '--for', name, '--at', at, '--json'], { ...stage.remote() });
  expect(exit, err).toBe(0);
  const { points } = JSON.parse(out) as { readonly points: readonly Day[] };
  return Object.fromEntries(points.map(({ pointId, keptBy }) => [pointId, keptBy]));
}

describe('the retention calendar', { timeout: 120_000 }, () => {
  it.each(['berlin', 'howe', 'kiritimati'] as const)(
    'of %s is what the preview says of the same repository, over HTTP and on both command lines, on any day',
    async (name) => {
      const web = `/vms/${stage.world.vm}/points?limit=200`;
      await stage.becomes(
        async () =>
          bodyAs<{ readonly items: readonly { readonly repository: string }[] }>(await stage.ask('GET', web)).items.filter(
            ({ repository }) => repository === name,
          ).length,
        (count) => count > 50,
        'the catalog has read them',
      );
      for (const at of ['2026-12-23T23:00:00Z', '2026-12-24T00:00:01Z', '2026-11-01T00:00:00Z']) {
        const expected = await previewed(name, at);
        expect(Object.keys(expected).length).toBeGreaterThan(50);
        expect(await calendar(name, at), at).toEqual(expected);
        const kept = Object.values(expected).filter((reasons) => reasons.length > 0).length;
        expect(kept).toBeGreaterThan(0);
        expect(kept).toBeLessThan(Object.keys(expected).length);
      }
      expect(await remotely(name, '2026-12-24T00:00:01Z')).toEqual(await previewed(name, '2026-12-24T00:00:01Z'));
    },
  );
});
