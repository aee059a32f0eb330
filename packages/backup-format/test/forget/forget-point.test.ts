import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ObjectStore, type Repository, standingHolds } from '../../src/index.ts';
import { Crash, type Fault, faultyStore, flipBit, keysOf, type Operation, readDisk } from '../../testing/index.ts';
import { runVerify } from '../support/run-verify.ts';
import { backup, deps, makeDisk, reopen } from '../support/small-vm.ts';
import { scheduledStore } from './scheduled-store.ts';
import { codeOf, disk, idsOf, impatient, type TwoPoints, ticket, twoPoints } from './two-points.ts';

describe('forgetting a restore point', () => {
  it('takes its manifest and its tags, and leaves the others whole', async () => {
    const { store, repository, older, newer } = await twoPoints();
    await repository.marks.tag(older.id, ['x']);
    await repository.marks.tag(newer.id, ['y']);
    await repository.forgetPoint(older.id);
    expect(await idsOf(store)).toEqual([newer.id]);
    expect(await keysOf(store, 'marks/')).toEqual([expect.stringContaining(newer.id)]);
    expect(Buffer.compare(await readDisk(await repository.openDisk(newer, 'disk-0')), disk)).toBe(0);
  });

  it('is refused while someone holds it, with who and why, whatever else is said', async () => {
    const { repository, older } = await twoPoints();
    const { id } = await repository.marks.hold(older.id, ticket);
    await expect(repository.forgetPoint(older.id, { evenLast: true })).rejects.toMatchObject({
      code: 'REPO_POINT_HELD',
      message: expect.stringContaining('ticket-42 (eva@desk)'),
      details: { pointId: older.id, holds: [{ id, ...ticket }] },
    });
    await repository.marks.release(older.id, [id]);
    await repository.forgetPoint(older.id);
  });

  it('is possible after the last instant of a hold, which goes with it', async () => {
    const { store, repository, older } = await twoPoints();
    await repository.marks.hold(older.id, { ...ticket, until: new Date(deps.clock.now().getTime() + 1000).toISOString() });
    deps.clock.advance(1000);
    await expect(repository.forgetPoint(older.id)).rejects.toMatchObject({ code: 'REPO_POINT_HELD' });
    deps.clock.advance(1);
    await repository.forgetPoint(older.id);
    expect(await keysOf(store, 'marks/')).toEqual([]);
  });

  it('is refused for the last one of a group unless even that is said; other groups do not count', async () => {
    const { store, repository, older, newer } = await twoPoints();
    await backup(repository, disk, { group: 'vm-2' });
    await repository.forgetPoint(older.id);
    await expect(repository.forgetPoint(newer.id)).rejects.toMatchObject({ code: 'REPO_POINT_LAST_GOOD', details: { pointId: newer.id } });
    await repository.forgetPoint(newer.id, { evenLast: true });
    expect(await idsOf(store)).toHaveLength(1);
  });

  it('is refused for the last one whose manifest can be read; one that cannot be read may go', async () => {
    const { store, repository, older, newer } = await twoPoints();
    await flipBit(store, `points/vm-1/${newer.id}.json`, 300);
    await expect(repository.forgetPoint(older.id)).rejects.toMatchObject({ code: 'REPO_POINT_LAST_GOOD' });
    await repository.forgetPoint(newer.id);
    expect(await idsOf(store)).toEqual([older.id]);
  });

  it('does not count as good what verify found damaged', async () => {
    const { store, repository, older, newer } = await twoPoints();
    const other = makeDisk(7, 2);
    const packs = await keysOf(store, 'packs/');
    const third = await backup(repository, other);
    const [pack = ''] = (await keysOf(store, 'packs/')).filter((key) => !packs.includes(key));
    await flipBit(store, pack, 64 + 60);
    expect((await runVerify(repository)).damage).not.toEqual([]);
    expect([...(await repository.damagedPoints())]).toEqual([third.id]);
    await store.put('verify/29991231T235959999Z-0123456789abcdef.json', Buffer.from('an unreadable record says nothing'));
    expect([...(await repository.damagedPoints())]).toEqual([third.id]);
    await repository.forgetPoint(older.id);
    await expect(repository.forgetPoint(newer.id)).rejects.toMatchObject({ code: 'REPO_POINT_LAST_GOOD' });
    await repository.forgetPoint(third.id);
  });

  it('goes by a unique beginning of an id only', async () => {
    const { repository, older } = await twoPoints();
    await expect(repository.forgetPoint(older.id.slice(0, 2))).rejects.toMatchObject({ code: 'REPO_POINT_AMBIGUOUS' });
    await expect(repository.forgetPoint('')).rejects.toMatchObject({ code: 'REPO_POINT_NOT_FOUND' });
    expect(await repository.resolvePoint(older.id)).toEqual({ group: 'vm-1', id: older.id });
    await repository.forgetPoint(older.id.slice(0, -1));
    await expect(repository.forgetPoint(older.id)).rejects.toMatchObject({ code: 'REPO_POINT_NOT_FOUND' });
  });
});

/** Ends the process at its `n`-th write that is not one of its lease. */
function crashBesideLease(n: number, when: 'before' | 'after'): (operation: Operation) => Fault {
  let writes = 0;
  let crashed = false;
  return (operation) => {
    const error = new Crash(`crash ${when} write ${n}`);
    if (crashed) return { when: 'before', error };
    if (!operation.writes || operation.key.startsWith('leases/') || ++writes !== n) return undefined;
    crashed = true;
    return { when, error };
  };
}

/** Forgets the older of two points and dies at the `n`-th write. Answers whether it lived on. */
async function forgetUntil(n: number, when: 'before' | 'after'): Promise<TwoPoints & { readonly lived: boolean }> {
  const made = await twoPoints();
  await made.repository.marks.tag(made.older.id, ['x', 'y']);
  await made.repository.marks.tag(made.newer.id, ['z']);
  const dying = await reopen(faultyStore(made.store, crashBesideLease(n, when)));
  try {
    await dying.forgetPoint(made.older.id);
    return { ...made, lived: true };
  } catch (error) {
    expect(error).toBeInstanceOf(Crash);
    return { ...made, lived: false };
  }
}

describe('I44: a process that dies while it forgets', () => {
  it.each([
    ['before', 1, 'there', 0],
    ['after', 1, 'there', 0],
    ['before', 2, 'there', 0],
    ['after', 2, 'gone', 2],
    ['before', 3, 'gone', 2],
    ['after', 3, 'gone', 1],
    ['before', 4, 'gone', 1],
    ['after', 4, 'gone', 0],
    ['before', 5, 'gone', 0],
    ['after', 5, 'gone', 0],
  ] as const)('%s write %i: the point is %s, and %i of its tags are left to sweep', async (when, n, state, left) => {
    const { store, older, newer, lived } = await forgetUntil(n, when);
    expect(lived).toBe(false);
    expect(await idsOf(store)).toEqual(state === 'there' ? [older.id, newer.id] : [newer.id]);
    const next = await reopen(store);
    await next.unlock({ force: (await next.leases()).map(({ id }) => id) });
    expect(await next.marks.sweep()).toBe(left);
    if (state === 'gone') expect(await keysOf(store, 'marks/')).toEqual([expect.stringContaining(newer.id)]);
    if (state === 'there') await next.forgetPoint(older.id);
    expect(await idsOf(store)).toEqual([newer.id]);
  });

  it('has no sixth write', async () => {
    expect((await forgetUntil(6, 'before')).lived).toBe(true);
  });
});

describe('sweep', () => {
  it('leaves a hold that stands although its point is gone: somebody must hear of it', async () => {
    const { store, repository, older } = await twoPoints();
    const { id } = await repository.marks.hold(older.id, ticket);
    await repository.marks.tag(older.id, ['x']);
    await store.delete(`points/vm-1/${older.id}.json`);
    expect(await repository.marks.sweep()).toBe(1);
    expect(await keysOf(store, 'marks/')).toEqual([`marks/vm-1/${older.id}/hold-${id}`]);
    await repository.marks.release(older.id, [id]);
    expect(await keysOf(store, 'marks/')).toEqual([]);
  });
});

/** Both run, with every store operation in an order that fast-check chooses; what each ended with. */
async function race(scheduler: fc.Scheduler, store: ObjectStore, works: readonly ((repository: Repository) => Promise<unknown>)[]): Promise<string[]> {
  const runs = await Promise.all(works.map(async (work, at) => ({ work, repository: await impatient(scheduledStore(store, scheduler, `${at}`)) })));
  const ends = Promise.all(runs.map(({ work, repository }) => work(repository).then(() => 'done', codeOf)));
  await scheduler.waitFor(ends);
  return await ends;
}

describe('I42: a hold that was set is never lost to someone who forgets at the same moment', () => {
  it('in any order of their steps', async () => {
    const seen = new Set<string>();
    await fc.assert(
      // A forget has many more steps than a hold: a hold that begins at once is always first.
      fc.asyncProperty(fc.scheduler(), fc.nat(80), async (scheduler, wait) => {
        const { store, older } = await twoPoints();
        const holdLate = async (one: Repository): Promise<unknown> => {
          for (let step = 0; step < wait; step++) await scheduler.schedule(Promise.resolve());
          return one.marks.hold(older.id, ticket);
        };
        const [forgot, held] = await race(scheduler, store, [(one) => one.forgetPoint(older.id), holdLate]);
        seen.add(`${forgot} ${held}`);
        const isThere = (await idsOf(store)).includes(older.id);
        if (held === 'done') expect(isThere).toBe(true);
        else expect(held).toBe('REPO_POINT_NOT_FOUND');
        if (forgot === 'done') expect(isThere).toBe(false);
        else expect(isThere).toBe(true);
        const reopened = await reopen(store);
        for await (const marks of reopened.marks.list()) expect(standingHolds(marks, deps.clock.now())).toHaveLength(held === 'done' ? 1 : 0);
      }),
      { numRuns: 150 },
    );
    expect([...seen].sort()).toContain('REPO_POINT_HELD done');
    expect([...seen].sort()).toContain('done REPO_POINT_NOT_FOUND');
  });
});

describe('I43: the last good point', () => {
  it('stays when two processes forget the last two at the same moment, in any order of their steps', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const { store, older, newer } = await twoPoints();
        const ends = await race(scheduler, store, [(one) => one.forgetPoint(older.id), (one) => one.forgetPoint(newer.id)]);
        seen.add(ends.join(' '));
        const left = await idsOf(store);
        expect(left.length).toBeGreaterThanOrEqual(1);
        expect(left.length).toBe(ends.filter((end) => end !== 'done').length);
        for (const end of ends) expect(['done', 'REPO_POINT_LAST_GOOD']).toContain(end);
      }),
      { numRuns: 150 },
    );
    expect(seen.size).toBeGreaterThan(1);
  });

  it('goes when one of two that forget it may take even the last, and nothing brings it back, in any order of their steps', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        const { store, repository, older, newer } = await twoPoints();
        await repository.forgetPoint(older.id);
        const [even, alone] = await race(scheduler, store, [(one) => one.forgetPoint(newer.id, { evenLast: true }), (one) => one.forgetPoint(newer.id)]);
        seen.add(`${even} ${alone}`);
        expect(even).toBe('done');
        expect(['REPO_POINT_LAST_GOOD', 'REPO_POINT_NOT_FOUND', 'done']).toContain(alone);
        expect(await idsOf(store)).toEqual([]);
      }),
      { numRuns: 100 },
    );
    expect([...seen]).toContain('done REPO_POINT_LAST_GOOD');
  });
});
