import { FakeClock } from '@onevault/base/testing';
import { beforeEach, describe, expect, it } from 'vitest';
import { memoryStore, type ObjectStore, type Repository, RepositoryError, type RestorePoint, standingHolds } from '../../src/index.ts';
import { faultyStore, flipBit, keysOf, swapObjects, truncateObject } from '../../testing/index.ts';
import { backup, deps, makeDisk, newRepository, reopen } from '../support/small-vm.ts';

const disk = makeDisk(1, 2);
const ticket = { reason: 'ticket-42', by: 'eva@desk' };

let store: ObjectStore;
let repository: Repository;
let older: RestorePoint;
let newer: RestorePoint;

beforeEach(async () => {
  store = memoryStore();
  repository = await newRepository(store);
  older = await backup(repository, disk);
  newer = await backup(repository, disk);
});

async function marksOf(id: string) {
  for await (const marks of repository.marks.list()) if (marks.pointId === id) return marks;
  return undefined;
}

async function onlyKey(prefix = 'marks/'): Promise<string> {
  const [key, ...more] = await keysOf(store, prefix);
  expect(more).toEqual([]);
  return key ?? '';
}

describe('marks', () => {
  it('are one small object each, and come back with their point', async () => {
    const hold = await repository.marks.hold(older.id, { ...ticket, until: '2027-01-01T00:00:00Z' });
    await repository.marks.tag(older.id, ['month-end', 'app', 'app']);
    await repository.marks.tag(newer.id, ['app']);
    expect(hold).toMatchObject({ ...ticket, until: '2027-01-01T00:00:00Z', createdAt: deps.clock.now().toISOString() });
    expect(await marksOf(older.id)).toEqual({ group: 'vm-1', pointId: older.id, holds: [hold], tags: ['app', 'month-end'], damaged: [], forgetting: [] });
    expect(await marksOf(newer.id)).toMatchObject({ holds: [], tags: ['app'] });
    expect(await keysOf(store, 'marks/')).toHaveLength(4);
    expect(await keysOf(store, `marks/vm-1/${older.id}/`)).toContain(`marks/vm-1/${older.id}/hold-${hold.id}`);
  });

  it('of one group or one point are read without the others', async () => {
    const other = await backup(repository, disk, { group: 'vm-10' });
    for (const id of [older.id, newer.id, other.id]) await repository.marks.tag(id, ['x']);
    const listed = async (filter: Parameters<typeof repository.marks.list>[0]): Promise<string[]> => {
      const ids: string[] = [];
      for await (const { pointId } of repository.marks.list(filter)) ids.push(pointId);
      return ids.sort();
    };
    expect(await listed({ group: 'vm-1' })).toEqual([older.id, newer.id].sort());
    expect(await listed({ group: 'vm-10' })).toEqual([other.id]);
    expect(await listed({ pointId: newer.id })).toEqual([newer.id]);
    expect(await listed({ group: 'vm-1', pointId: newer.id })).toEqual([newer.id]);
    expect(await listed({ group: '../x' })).toEqual([]);
  });

  it('are set by a unique beginning of the id, and refused for a point that is not there', async () => {
    await repository.marks.tag(newer.id.slice(0, -3), ['x']);
    expect(await marksOf(newer.id)).toMatchObject({ tags: ['x'] });
    await expect(repository.marks.hold(older.id.slice(0, 2), ticket)).rejects.toMatchObject({ code: 'REPO_POINT_AMBIGUOUS' });
    await expect(repository.marks.tag('zzz', ['x'])).rejects.toMatchObject({ code: 'REPO_POINT_NOT_FOUND' });
  });

  it.each([
    { reason: '', by: 'x' },
    { reason: 'x'.repeat(501), by: 'x' },
    { reason: 'x', by: '' },
    { reason: 'x', by: 'x', until: 'tomorrow' },
    { reason: 'x', by: 'x', until: '2027-13-01T00:00:00Z' },
  ])('refuse a hold like %j', async (spec) => {
    await expect(repository.marks.hold(older.id, spec)).rejects.toThrow(TypeError);
    expect(await keysOf(store, 'marks/')).toEqual([]);
  });

  it.each(['', 'a,b', 'a b', '-x', 'é', 'x'.repeat(65)])('refuse the tag %j, and write none of the others', async (name) => {
    await expect(repository.marks.tag(older.id, ['fine', name])).rejects.toThrow(TypeError);
    expect(await keysOf(store, 'marks/')).toEqual([]);
  });

  it('tags go by their name, also when two set the same at once', async () => {
    await Promise.all([repository.marks.tag(older.id, ['x']), repository.marks.tag(older.id, ['x', 'y'])]);
    expect(await keysOf(store, 'marks/')).toHaveLength(3);
    expect(await marksOf(older.id)).toMatchObject({ tags: ['x', 'y'] });
    expect(await repository.marks.untag(older.id, ['x', 'z'])).toEqual(['x']);
    expect(await marksOf(older.id)).toMatchObject({ tags: ['y'] });
    expect(await repository.marks.untag(older.id, ['x'])).toEqual([]);
  });

  it('holds are released one by one, all of those named or none', async () => {
    const first = await repository.marks.hold(older.id, ticket);
    const second = await repository.marks.hold(older.id, { reason: 'audit', by: 'max' });
    await expect(repository.marks.release(older.id, [first.id, 'f'.repeat(32)])).rejects.toMatchObject({ code: 'REPO_HOLD_NOT_FOUND' });
    expect((await marksOf(older.id))?.holds).toHaveLength(2);
    await repository.marks.release(older.id, [first.id]);
    expect(await marksOf(older.id)).toMatchObject({ holds: [second] });
    await repository.marks.release(older.id, [second.id]);
    expect(await marksOf(older.id)).toBeUndefined();
  });
});

describe('I41: a mark that cannot be read counts as a hold', () => {
  async function expectHeld(): Promise<void> {
    const marks = await marksOf(older.id);
    expect(marks?.damaged).toHaveLength(1);
    expect(marks?.damaged[0]?.error).toMatchObject({
      code: expect.stringMatching(/^REPO_(MARK_INVALID|UNSUPPORTED_VERSION)$/),
      details: { pointId: older.id },
    });
    await expect(repository.forgetPoint(older.id)).rejects.toMatchObject({ code: 'REPO_POINT_HELD' });
    await repository.marks.release(older.id, [marks?.damaged[0]?.id ?? '']);
    await repository.forgetPoint(older.id);
  }

  it('any flipped bit of a hold or a tag', async () => {
    for (const set of [() => repository.marks.hold(older.id, ticket), () => repository.marks.tag(older.id, ['x'])]) {
      await set();
      const key = await onlyKey();
      const bytes = await store.get(key);
      for (let byte = 0; byte < bytes.length; byte++) {
        await flipBit(store, key, byte, byte % 8);
        expect((await marksOf(older.id))?.damaged, `byte ${byte}`).toHaveLength(1);
        await store.put(key, bytes);
      }
      await store.delete(key);
    }
  });

  it('a truncated one', async () => {
    await repository.marks.tag(older.id, ['x']);
    await truncateObject(store, await onlyKey(), 20);
    await expectHeld();
  });

  it('an empty one, and one that is larger than any mark', async () => {
    for (const size of [0, 100_000]) {
      await repository.marks.tag(older.id, ['x']);
      await store.put(await onlyKey(), new Uint8Array(size));
      const marks = await marksOf(older.id);
      expect(marks?.damaged).toHaveLength(1);
      await repository.marks.release(older.id, [marks?.damaged[0]?.id ?? '']);
    }
  });

  it('one of a newer version, and one with a name that this version does not know', async () => {
    await repository.marks.tag(older.id, ['x']);
    const key = await onlyKey();
    const text = Buffer.from(await store.get(key)).toString();
    await store.put(key, Buffer.from(text.replace('"version":1', '"version":2')));
    await expectHeld();
    older = await backup(repository, disk);
    await store.put(`marks/vm-1/${older.id}/legal-1`, Buffer.from(text));
    await expectHeld();
  });

  it('one that stood for another point (I40)', async () => {
    await repository.marks.tag(older.id, ['x']);
    await repository.marks.hold(newer.id, { ...ticket, until: '2020-01-01T00:00:00Z' });
    await swapObjects(store, await onlyKey(`marks/vm-1/${older.id}/`), await onlyKey(`marks/vm-1/${newer.id}/`));
    await expectHeld();
  });

  it('but what lies outside the places of marks means nothing (I14)', async () => {
    for (const key of ['marks/readme.txt', `marks/vm-1/${older.id}/a/b`, `marks/VM/${older.id}/hold-1`]) await store.put(key, Buffer.from('x'));
    expect(await marksOf(older.id)).toBeUndefined();
    await repository.forgetPoint(older.id);
  });

  it('but a store that fails is no damage: nothing is forgotten on its word', async () => {
    await repository.marks.hold(older.id, ticket);
    const error = new RepositoryError({ code: 'REPO_STORE_FAILED', message: 'EIO' });
    const failing = await reopen(faultyStore(store, ({ kind, key }) => (kind === 'get' && key.startsWith('marks/') ? { when: 'before', error } : undefined)));
    await expect(failing.forgetPoint(older.id)).rejects.toBe(error);
    await repository.point(older.id);
  });
});

describe('standingHolds', () => {
  it('end after their last instant', () => {
    const clock = new FakeClock();
    const hold = { id: 'a'.repeat(32), reason: 'r', by: 'b', createdAt: '2026-01-01T00:00:00Z' };
    const until = (ms: number): string => new Date(clock.now().getTime() + ms).toISOString();
    const standing = (ms: number): number => standingHolds({ holds: [{ ...hold, until: until(ms) }], damaged: [] }, clock.now()).length;
    expect([standing(-1), standing(0), standing(1)]).toEqual([0, 1, 1]);
    expect(standingHolds({ holds: [hold], damaged: [] }, clock.now())).toEqual([{ id: hold.id, reason: 'r', by: 'b' }]);
  });
});
