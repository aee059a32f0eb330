import { describe, expect, it } from 'vitest';
import { type ObjectStore, RepositoryError } from '../../src/index.ts';
import { Crash, type Fault, faultyStore, keysOf } from '../../testing/index.ts';
import { deps, reopen } from '../support/small-vm.ts';
import { codeOf, idsOf, impatient, type TwoPoints, ticket, twoPoints } from './two-points.ts';

/** Forgets the older of two points; before the `at`-th operation of that, `meanwhile` runs to its end. Then it goes on, or dies there. */
async function forgetAndMeanwhile(
  at: number,
  end: 'goes on' | 'dies before' | 'dies after',
  meanwhile: (made: TwoPoints) => Promise<void>,
): Promise<TwoPoints & { readonly forgot: string }> {
  const made = await twoPoints();
  await made.repository.marks.tag(made.older.id, ['x']);
  let operations = 0;
  let opened = false;
  let dead = false;
  const decide = (): Fault => {
    const error = new Crash('the process died');
    if (!opened) return undefined;
    if (dead) return { when: 'before', error };
    if (++operations !== at) return undefined;
    dead = end !== 'goes on';
    return { when: end === 'dies after' ? 'after' : 'before', until: meanwhile(made).then(() => (dead ? Promise.reject(error) : undefined)) };
  };
  const forgetting = await reopen(faultyStore(made.store, decide));
  opened = true;
  const forgot = await forgetting.forgetPoint(made.older.id).then(
    () => 'done',
    (error: unknown) => (error instanceof Crash ? 'died' : codeOf(error)),
  );
  return { ...made, forgot };
}

/** Whether the point must be there or gone by what the two were told; undefined when it may be either. */
function mustBeThere(held: string, forgot: string): boolean | undefined {
  if (held === 'held') return true;
  return held === 'REPO_POINT_NOT_FOUND' || forgot === 'done' ? false : undefined;
}

async function endLeases(store: ObjectStore): Promise<void> {
  const repository = await reopen(store);
  await repository.unlock({ force: (await repository.leases()).map(({ id }) => id) });
}

describe('I42: a hold that comes at any step of a forget', () => {
  it.each(['goes on', 'dies before', 'dies after'] as const)('keeps the point, or is told that it does not: the forget %s', async (end) => {
    const seen = new Set<string>();
    for (let at = 1, held = 'nothing yet'; held !== ''; at++) {
      held = '';
      const { store, older, forgot } = await forgetAndMeanwhile(at, end, async (made) => {
        held = await (await impatient(made.store)).marks.hold(made.older.id, ticket).then(() => 'held', codeOf);
      });
      seen.add(`${held} ${forgot}`);
      const isThere = (await idsOf(store)).includes(older.id);
      expect(isThere, `operation ${at}: ${held}, ${forgot}`).toBe(mustBeThere(held, forgot) ?? isThere);
      // Whoever died keeps nobody from holding what is still there.
      await endLeases(store);
      if (isThere) await (await reopen(store)).marks.hold(older.id, ticket);
    }
    expect([...seen]).toContain(end === 'goes on' ? 'held REPO_POINT_HELD' : 'held died');
    expect([...seen].some((one) => one.startsWith('REPO_LOCKED'))).toBe(true);
  });

  it('is told to come again when nobody knows whether the manifest will still be deleted, and not before the lease is over', async () => {
    const { store, repository, older } = await twoPoints();
    const error = new RepositoryError({ code: 'REPO_STORE_FAILED', message: 'no answer' });
    const failing = await reopen(
      faultyStore(store, ({ kind, key }) => (kind === 'delete' && key.startsWith('points/') ? { when: 'before', error } : undefined)),
    );
    await expect(failing.forgetPoint(older.id)).rejects.toBe(error);
    const other = await impatient(store);
    await expect(other.marks.hold(older.id, ticket)).rejects.toMatchObject({ code: 'REPO_LOCKED', retryable: true });
    expect(await keysOf(store, 'marks/')).toEqual([expect.stringContaining('/forgetting-')]);
    await repository.unlock();
    deps.clock.advance(12 * 60_000);
    await repository.unlock();
    await other.marks.hold(older.id, ticket);
    expect(await keysOf(store, 'marks/')).toEqual([expect.stringContaining('/hold-')]);
    await expect(repository.forgetPoint(older.id)).rejects.toMatchObject({ code: 'REPO_POINT_HELD' });
  });

  it('is safe from one who forgets and was stopped until the lease was over', async () => {
    const { store, older, forgot } = await forgetAndMeanwhile(lastLookOf(await operationsOfForget()), 'goes on', async (made) => {
      await endLeases(made.store);
      await (await impatient(made.store)).marks.hold(made.older.id, ticket);
    });
    expect(forgot).toBe('REPO_LOCK_LOST');
    expect(await idsOf(store)).toContain(older.id);
  });
});

/** What a forget does, in order. */
async function operationsOfForget(): Promise<readonly string[]> {
  const { store, repository, older } = await twoPoints();
  await repository.marks.tag(older.id, ['x']);
  const operations: string[] = [];
  const watched = await reopen(
    faultyStore(store, ({ kind, key }) => {
      operations.push(`${kind} ${key}`);
      return undefined;
    }),
  );
  operations.length = 0;
  await watched.forgetPoint(older.id);
  return operations;
}

/** The look for its own lease, right before the manifest goes. */
function lastLookOf(operations: readonly string[]): number {
  const deletion = operations.findIndex((operation) => operation.startsWith('delete points/'));
  expect(operations[deletion - 1]).toMatch(/^stat leases\//);
  return deletion;
}
