import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  applyRetention,
  forgottenBy,
  formatRetentionReason,
  memoryStore,
  type ObjectStore,
  planRetention,
  type Repository,
  RepositoryError,
  type RetentionOutcome,
  type RetentionPlan,
  type RetentionPolicyInput,
} from '../../src/index.ts';
import { Crash, crashAtWrite, faultyStore, flipBit, keysOf } from '../../testing/index.ts';
import { runVerify } from '../support/run-verify.ts';
import { backup, deps, makeDisk, newRepository, reopen } from '../support/small-vm.ts';

const NOW = new Date('2026-11-22T12:00:00Z');
const ticket = { reason: 'ticket-42', by: 'eva@desk' };
const twoDays: RetentionPolicyInput = { timezone: 'UTC', keepDaily: 2 };

let store: ObjectStore;
let repository: Repository;

beforeEach(async () => {
  store = memoryStore();
  repository = await newRepository(store);
});

/** A restore point of no disks, captured at 01:00 of a day of November; named `vm-1/20`. */
async function pointOf(day: number, group = 'vm-1', into: Repository = repository): Promise<string> {
  deps.clock.advance(1000);
  await using writer = await into.begin({ group, runId: 'run', capturedAt: `2026-11-${String(day).padStart(2, '0')}T01:00:00Z`, mode: 'full' });
  return (await writer.commit({ annotations: {} })).id;
}

async function pointsOf(days: readonly number[], group = 'vm-1'): Promise<string[]> {
  const ids: string[] = [];
  for (const day of days) ids.push(await pointOf(day, group));
  return ids;
}

async function left(from: ObjectStore = store): Promise<string[]> {
  const days: string[] = [];
  for await (const listed of (await reopen(from)).points())
    days.push(listed.kind === 'point' ? `${listed.point.group}/${listed.point.capturedAt.slice(8, 10)}` : listed.key);
  return days.sort();
}

async function apply(plan: RetentionPlan, on: Repository = repository): Promise<RetentionOutcome[]> {
  const outcomes: RetentionOutcome[] = [];
  for await (const outcome of applyRetention(on, plan)) outcomes.push(outcome);
  return outcomes;
}

describe('a plan', () => {
  it('judges each group alone, by what is marked and what is damaged', async () => {
    const [a, b, c] = await pointsOf([18, 19, 20, 21, 22]);
    await pointsOf([10, 11], 'vm-2');
    await repository.marks.hold(a ?? '', ticket);
    await repository.marks.tag(b ?? '', ['gold']);
    const plan = await planRetention(repository, { ...twoDays, keepTags: ['gold'] }, NOW);
    expect(
      plan.groups.map(({ group, selection }) => [group, ...selection.decisions.map(({ reasons }) => reasons.map(formatRetentionReason).join(' '))]),
    ).toEqual([
      ['vm-1', 'hold:ticket-42', 'tag:gold', 'no-rule', 'daily#2', 'daily#1 last-good'],
      ['vm-2', 'daily#2', 'daily#1 last-good'],
    ]);
    expect(plan.groups.map(forgottenBy)).toEqual([[c], []]);
    expect(await left()).toHaveLength(7);
  });

  it('is made of manifests of which those that are known need not be read again', async () => {
    const [a = '', b = ''] = await pointsOf([20, 21]);
    const asked: string[] = [];
    const listed: string[] = [];
    for await (const one of repository.points({ unless: ({ group, id }) => asked.push(`${group}/${id}`) > 0 && id === a }))
      listed.push(one.kind === 'point' ? one.point.id : one.key);
    expect(asked).toEqual([`vm-1/${a}`, `vm-1/${b}`]);
    expect(listed).toEqual([b]);
  });

  it('of some points judges no others, and forgets none of them', async () => {
    await pointsOf([18, 19, 20, 21, 22]);
    const even = await planRetention(repository, twoDays, NOW, { wants: ({ capturedAt }) => Number(capturedAt.slice(8, 10)) % 2 === 0 });
    expect(even.groups.map(({ selection }) => selection.decisions.map(({ point, verdict }) => [point.capturedAt.slice(8, 10), verdict]))).toEqual([
      [
        ['18', 'forget'],
        ['20', 'keep'],
        ['22', 'keep'],
      ],
    ]);
    await apply(even);
    expect(await left()).toEqual(['vm-1/19', 'vm-1/20', 'vm-1/21', 'vm-1/22']);
  });

  it('of some groups reads the others not at all', async () => {
    await pointsOf([20, 21]);
    await pointsOf([20, 21], 'vm-2');
    const groups = async (names: readonly string[]): Promise<string[]> =>
      (await planRetention(repository, twoDays, NOW, { groups: new Set(names) })).groups.map(({ group }) => group);
    expect(await groups(['vm-2'])).toEqual(['vm-2']);
    expect(await groups(['vm-1', 'vm-2', 'vm-3'])).toEqual(['vm-1', 'vm-2']);
    expect(await groups([])).toEqual([]);
  });

  it('for a date to come shows which holds are over by then', async () => {
    const [old = ''] = await pointsOf([1, 21, 22]);
    await repository.marks.hold(old, { ...ticket, until: '2026-12-01T00:00:00Z' });
    const forgotten = async (asOf: string): Promise<readonly string[]> =>
      (await planRetention(repository, twoDays, new Date(asOf))).groups.flatMap(forgottenBy);
    expect(await forgotten('2026-12-01T00:00:00Z')).toEqual([]);
    expect(await forgotten('2026-12-01T00:00:01Z')).toEqual([old]);
  });

  it.each([
    [{ timezone: 'UTC' }, 'REPO_RETENTION_EMPTY'],
    [{ timezone: 'UTC', keepDaily: 0, keepTags: [] }, 'REPO_RETENTION_EMPTY'],
    [{ timezone: 'Mars/Base', keepLast: 1 }, 'REPO_TIMEZONE_UNKNOWN'],
  ])('is refused for the policy %j, before anything is read', async (policy, code) => {
    const faulty = faultyStore(store, () => undefined);
    const watched = await reopen(faulty);
    const { reads } = faulty;
    await expect(planRetention(watched, policy, NOW)).rejects.toMatchObject({ code });
    expect(faulty.reads).toBe(reads);
  });

  it('keeps what verify found damaged, and lets nothing good go in its place', async () => {
    const older = await pointOf(20);
    const disk = makeDisk(7, 2);
    const damaged = await backup(repository, disk); // captured on the 22nd
    for (const pack of await keysOf(store, 'packs/')) await flipBit(store, pack, 64 + 60);
    expect((await runVerify(repository)).damage).not.toEqual([]);
    const plan = await planRetention(repository, { timezone: 'UTC', keepLast: 1 }, new Date('2026-11-23T00:00:00Z'));
    expect(plan.groups[0]?.selection.decisions.map(({ point, verdict }) => [point.id, verdict])).toEqual([
      [older, 'keep'],
      [damaged.id, 'damaged'],
    ]);
  });
});

describe('applying a plan', () => {
  it('forgets just what it says, oldest first, and nothing more the second time', async () => {
    const [a, b] = await pointsOf([19, 20, 21, 22]);
    await pointsOf([21], 'vm-2');
    const plan = await planRetention(repository, twoDays, NOW);
    expect(await apply(plan)).toEqual([
      { kind: 'forgotten', group: 'vm-1', pointId: a },
      { kind: 'forgotten', group: 'vm-1', pointId: b },
    ]);
    expect(await left()).toEqual(['vm-1/21', 'vm-1/22', 'vm-2/21']);
    expect(await apply(await planRetention(repository, twoDays, NOW))).toEqual([]);
    expect(await apply(plan)).toEqual([a, b].map((pointId) => ({ kind: 'gone', group: 'vm-1', pointId })));
  });

  it('touches nothing of a group with a manifest that cannot be read, and says so; the others go on', async () => {
    const [a = ''] = await pointsOf([18, 19, 20, 21, 22]);
    const [other] = await pointsOf([19, 20, 21], 'vm-2');
    const key = `points/vm-1/${a}.json`;
    await flipBit(store, key, 300);
    const plan = await planRetention(repository, twoDays, NOW);
    expect(plan.groups[0]?.unreadable).toMatchObject([{ key, error: { code: 'REPO_MANIFEST_INVALID' } }]);
    expect(await apply(plan)).toMatchObject([
      { kind: 'refused', group: 'vm-1', unreadable: [{ key }] },
      { kind: 'forgotten', group: 'vm-2', pointId: other },
    ]);
    await repository.forgetPoint(a);
    expect(await left()).toEqual(['vm-1/19', 'vm-1/20', 'vm-1/21', 'vm-1/22', 'vm-2/20', 'vm-2/21']);
  });

  it('refuses a group whose manifest was damaged after the plan was made', async () => {
    const [, b = ''] = await pointsOf([19, 20, 21, 22]);
    const plan = await planRetention(repository, twoDays, NOW);
    await flipBit(store, `points/vm-1/${b}.json`, 300);
    expect(await apply(plan)).toMatchObject([{ kind: 'refused', group: 'vm-1' }]);
    expect(await left()).toHaveLength(4);
  });

  it('keeps what was held or tagged since the plan was made', async () => {
    const [a = '', b = '', c = ''] = await pointsOf([18, 19, 20, 21, 22]);
    const plan = await planRetention(repository, { ...twoDays, keepTags: ['gold'] }, NOW);
    await repository.marks.hold(a, ticket);
    await repository.marks.tag(b, ['gold']);
    expect(await apply(plan)).toEqual([
      { kind: 'kept', group: 'vm-1', pointId: a, why: 'changed' },
      { kind: 'kept', group: 'vm-1', pointId: b, why: 'changed' },
      { kind: 'forgotten', group: 'vm-1', pointId: c },
    ]);
  });

  it('reads the holds again right before each deletion', async () => {
    const [a = '', b = ''] = await pointsOf([19, 20, 21, 22]);
    const run = applyRetention(repository, await planRetention(repository, twoDays, NOW));
    expect((await run.next()).value).toMatchObject({ kind: 'forgotten', pointId: a });
    await repository.marks.hold(b, ticket);
    expect((await run.next()).value).toMatchObject({ kind: 'kept', pointId: b, why: 'held', error: { code: 'REPO_POINT_HELD' } });
    expect((await run.next()).done).toBe(true);
    expect(await left()).toEqual(['vm-1/20', 'vm-1/21', 'vm-1/22']);
  });

  it('leaves the last good point, also when somebody forgets the others meanwhile', async () => {
    const [a = '', b = '', c = ''] = await pointsOf([20, 21, 22]);
    const run = applyRetention(repository, await planRetention(repository, { timezone: 'UTC', keepLast: 1 }, NOW));
    expect((await run.next()).value).toMatchObject({ kind: 'forgotten', pointId: a });
    await repository.forgetPoint(c);
    expect((await run.next()).value).toMatchObject({ kind: 'kept', pointId: b, why: 'last-good', error: { code: 'REPO_POINT_LAST_GOOD' } });
    expect(await left()).toEqual(['vm-1/21']);
  });

  it('does nothing on a listing that breaks off', async () => {
    await pointsOf([19, 20, 21, 22]);
    const error = new RepositoryError({ code: 'REPO_STORE_FAILED', message: 'the listing broke off' });
    let broken = false;
    const cut: ObjectStore = {
      ...bound(store),
      async *list(prefix, options) {
        let at = 0;
        for await (const found of store.list(prefix, options)) {
          if (broken && prefix.startsWith('points/') && ++at > 2) throw error;
          yield found;
        }
      },
    };
    const reached = await reopen(cut);
    const plan = await planRetention(reached, twoDays, NOW);
    broken = true;
    await expect(planRetention(reached, twoDays, NOW)).rejects.toBe(error);
    await expect(apply(plan, reached)).rejects.toBe(error);
    expect(await left()).toHaveLength(4);
  });

  it('forgets nothing more on a listing that leaves points out', async () => {
    const ids = await pointsOf([16, 17, 18, 19, 20, 21, 22]);
    const all = new Set((await planRetention(repository, twoDays, NOW)).groups.flatMap(forgottenBy));
    for (const hidden of ids) {
      const blind: ObjectStore = {
        ...bound(store),
        async *list(prefix, options) {
          for await (const found of store.list(prefix, options)) if (!found.key.includes(hidden)) yield found;
        },
      };
      for (const id of (await planRetention(await reopen(blind), twoDays, NOW)).groups.flatMap(forgottenBy)) expect(all).toContain(id);
    }
  });
});

function bound(inner: ObjectStore): ObjectStore {
  return {
    location: inner.location,
    put: inner.put.bind(inner),
    create: inner.create.bind(inner),
    get: inner.get.bind(inner),
    stat: inner.stat.bind(inner),
    list: inner.list.bind(inner),
    delete: inner.delete.bind(inner),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

describe('an apply that is killed at any write and run again', () => {
  const scenario = fc.record({
    days: fc.array(fc.integer({ min: 1, max: 22 }), { minLength: 1, maxLength: 8 }),
    held: fc.array(fc.nat(7), { maxLength: 2 }),
    tagged: fc.array(fc.nat(7), { maxLength: 3 }),
    rules: fc.record({ keepLast: fc.integer({ min: 1, max: 3 }), keepWeekly: fc.integer({ min: 0, max: 3 }) }),
    crash: fc.integer({ min: 1, max: 8 }),
    when: fc.constantFrom('before' as const, 'after' as const),
  });

  /** A store with one group as the scenario has it, and the ids that are held. */
  async function setUp({ days, held, tagged }: { days: number[]; held: number[]; tagged: number[] }): Promise<{ inner: ObjectStore; heldIds: string[] }> {
    const inner = memoryStore();
    const made = await newRepository(inner);
    const ids: string[] = [];
    for (const day of days) ids.push(await pointOf(day, 'vm-1', made));
    const heldIds = [...new Set(held)].flatMap((at) => ids[at] ?? []);
    for (const id of heldIds) await made.marks.hold(id, ticket);
    for (const id of tagged.flatMap((at) => ids[at] ?? [])) await made.marks.tag(id, ['gold']);
    return { inner, heldIds };
  }

  const keptBy = (plan: RetentionPlan): string[] =>
    plan.groups.flatMap(({ selection }) => selection.decisions.filter(({ verdict }) => verdict === 'keep').map(({ point }) => point.id)).sort();

  it('ends as one that was not, and never loses what is held or the last good point', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ rules, crash, when, ...points }) => {
        const { inner, heldIds } = await setUp(points);
        const policy: RetentionPolicyInput = { timezone: 'UTC', ...rules, keepTags: ['gold'] };
        const dying = await reopen(faultyStore(inner, crashAtWrite(crash, when)));
        const plan = await planRetention(dying, policy, NOW);
        await apply(plan, dying).catch((error: unknown) => expect(error).toBeInstanceOf(Crash));

        const again = await reopen(inner);
        await apply(await planRetention(again, policy, NOW), again);
        await again.unlock({ force: (await again.leases()).map(({ id }) => id) }); // the dead one's
        await again.marks.sweep();
        const after = await planRetention(again, policy, NOW);
        expect(keptBy(after)).toEqual(keptBy(plan));
        expect(after.groups.flatMap(forgottenBy)).toEqual([]);
        expect(keptBy(after)).toEqual(expect.arrayContaining(heldIds));
        expect(keptBy(after).length).toBeGreaterThan(0);
        for (const key of await keysOf(inner, 'marks/')) expect(keptBy(after)).toContain(key.split('/')[2]);
      }),
      { numRuns: 150 },
    );
  });
});
