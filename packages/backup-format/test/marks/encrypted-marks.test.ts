import { describe, expect, it } from 'vitest';
import { memoryStore, type ObjectStore, type PointMarks, type Repository } from '../../src/index.ts';
import { flipBit, keysOf, swapObjects } from '../../testing/index.ts';
import { newEncrypted } from '../support/encrypted.ts';
import { backup, makeDisk } from '../support/small-vm.ts';

const hold = { reason: 'a merger nobody knows of', by: 'eva@desk' };

async function marksOf(repository: Repository, pointId: string): Promise<PointMarks | undefined> {
  for await (const marks of repository.marks.list({ pointId })) return marks;
  return undefined;
}

async function marked(): Promise<{ store: ObjectStore; repository: Repository; first: string; second: string }> {
  const store = memoryStore();
  const repository = await newEncrypted(store);
  const { id: first } = await backup(repository, makeDisk(1, 2));
  const { id: second } = await backup(repository, makeDisk(1, 2));
  await repository.marks.hold(first, hold);
  await repository.marks.tag(second, ['secret-project']);
  return { store, repository, first, second };
}

describe('marks of an encrypted repository', () => {
  it('are read back and say nothing to who has the bucket', async () => {
    const { store, repository, first, second } = await marked();
    expect(await marksOf(repository, first)).toMatchObject({ holds: [hold], damaged: [] });
    expect(await marksOf(repository, second)).toMatchObject({ tags: ['secret-project'], damaged: [] });
    for (const key of await keysOf(store, 'marks/')) expect(Buffer.from(await store.get(key)).toString('latin1')).not.toMatch(/merger|eva|secret/);
  });

  it('I41: hold with any flipped bit', async () => {
    const { store, repository, second } = await marked();
    const [key = ''] = await keysOf(store, `marks/vm-1/${second}/`);
    const whole = await store.get(key);
    for (let byte = 0; byte < whole.length; byte++) {
      await flipBit(store, key, byte, byte % 8);
      expect(await marksOf(repository, second), `byte ${byte}`).toMatchObject({ tags: [], damaged: [{ key }] });
      await store.put(key, whole);
    }
    await flipBit(store, key, -5);
    await expect(repository.forgetPoint(second)).rejects.toMatchObject({ code: 'REPO_POINT_HELD' });
  });

  it('I40: hold when put in the place of one another, also under a new name', async () => {
    const { store, repository, first, second } = await marked();
    const [one = ''] = await keysOf(store, `marks/vm-1/${first}/`);
    const [other = ''] = await keysOf(store, `marks/vm-1/${second}/`);
    const tag = await store.get(other);
    await swapObjects(store, one, other);
    for (const id of [first, second]) expect((await marksOf(repository, id))?.damaged).toHaveLength(1);
    await store.delete(one);
    await store.put(`marks/vm-1/${first}/tag-${'0'.repeat(32)}`, tag);
    expect(await marksOf(repository, first)).toMatchObject({ tags: [], damaged: [{ id: '0'.repeat(32) }] });
  });
});
