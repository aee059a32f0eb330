import { beforeEach, describe, expect, it } from 'vitest';
import { type DrillRecord, type DrillSpec, memoryStore, type ObjectStore, type Repository, type RestorePoint } from '../../src/index.ts';
import { flipBit, keysOf, swapObjects, truncateObject } from '../../testing/index.ts';
import { blake3, runCopy, sealed } from '../copy/copying.ts';
import { runVerify } from '../support/run-verify.ts';
import { backup, makeDisk, reopen } from '../support/small-vm.ts';

const minute = (n: number): string => `2026-11-27T10:${String(n).padStart(2, '0')}:00.000Z`;

async function recordsOf(repository: Repository, group?: string): Promise<DrillRecord[]> {
  const records: DrillRecord[] = [];
  for await (const record of repository.drills.list(group === undefined ? {} : { group })) records.push(record);
  return records;
}

describe('records of drills', () => {
  let store: ObjectStore;
  let repository: Repository;
  let point: RestorePoint;
  const spec = (n: number, outcome: 'passed' | 'failed' = 'passed', group = point.group): DrillSpec => ({
    group,
    pointId: point.id,
    outcome,
    startedAt: minute(n),
    finishedAt: minute(n + 1),
    facts: { signs: ['running'], rtoMs: 1200 },
  });
  beforeEach(async () => {
    store = memoryStore();
    repository = await blake3.create(store);
    point = await backup(repository, makeDisk(1, 2));
  });

  it('are read back by who opens the repository anew, in order of time', async () => {
    const second = await repository.drills.record(spec(2, 'failed'));
    const first = await repository.drills.record(spec(1));
    expect(await recordsOf(await reopen(store))).toEqual([first, second]);
    expect(await recordsOf(repository, 'vm-9')).toEqual([]);
    const newest: DrillRecord[] = [];
    for await (const record of repository.drills.list({ newest: true })) newest.push(record);
    expect(newest).toEqual([second]);
  });

  it('say by their names alone when a VM was last proven', async () => {
    await repository.drills.record(spec(1));
    await repository.drills.record(spec(5, 'failed'));
    await repository.drills.record(spec(7, 'failed', 'vm-9'));
    for (const key of await keysOf(store, 'drills/')) await truncateObject(store, key, 1);
    expect(await repository.drills.standings()).toEqual(
      new Map([
        [point.group, { lastPassedAt: minute(2), last: { outcome: 'failed', at: minute(6) } }],
        ['vm-9', { last: { outcome: 'failed', at: minute(8) } }],
      ]),
    );
  });

  it('are kept to the newest twenty, and the newest that passed however old', async () => {
    const proven = await repository.drills.record(spec(0));
    for (let n = 1; n <= 25; n++) await repository.drills.record(spec(n, 'failed'));
    const records = await recordsOf(repository);
    expect(records).toHaveLength(21);
    expect(records[0]).toEqual(proven);
    expect(records.at(-1)?.startedAt).toBe(minute(25));
  });

  it('refuse what has no place in a record', async () => {
    for (const bad of [
      { ...spec(1), group: 'Über' },
      { ...spec(1), startedAt: 'yesterday' },
      { ...spec(1), pointId: 'x' },
    ])
      await expect(repository.drills.record(bad)).rejects.toThrow(TypeError);
    await expect(repository.drills.record({ ...spec(1), facts: { text: 'x'.repeat(70_000) } })).rejects.toMatchObject({ code: 'REPO_TOO_LARGE' });
    expect(await keysOf(store, 'drills/')).toEqual([]);
  });

  it('are left out when any bit of them is wrong or they changed places, and verify names them as harmless', async () => {
    await repository.drills.record(spec(1));
    await repository.drills.record(spec(3, 'failed'));
    const [one = '', other = ''] = await keysOf(store, 'drills/');
    const whole = await store.get(one);
    for (let byte = 0; byte < whole.length; byte++) {
      await flipBit(store, one, byte, byte % 8);
      expect(
        (await recordsOf(repository)).map(({ outcome }) => outcome),
        `byte ${byte}`,
      ).toEqual(['failed']);
      await store.put(one, whole);
    }
    await swapObjects(store, one, other);
    expect(await recordsOf(repository)).toEqual([]);
    const { damage } = await runVerify(repository, { mode: 'structure' });
    expect(damage.map(({ key, harmless }) => [key, harmless])).toEqual([
      [one, true],
      [other, true],
    ]);
  });

  it('go with a copy of their point, once, and say which repository was drilled; also where both are encrypted', async () => {
    const otherPoint = await backup(repository, makeDisk(2, 2));
    await repository.drills.record(spec(1));
    await repository.drills.record({ ...spec(2), pointId: otherPoint.id });
    const targetStore = memoryStore();
    const target = await sealed(3).create(targetStore);
    const { report } = await runCopy(repository, target, { points: [point.id] });
    expect(report.drills).toBe(1);
    expect(await recordsOf(target)).toMatchObject([{ pointId: point.id, origin: repository.config.id, facts: { rtoMs: 1200 } }]);
    expect((await runCopy(repository, target, { points: [point.id] })).report.drills).toBe(0);
    for (const key of await keysOf(targetStore, 'drills/')) expect(Buffer.from(await targetStore.get(key)).toString('latin1')).not.toContain('rtoMs');
    const third = await sealed(4).create(memoryStore());
    await runCopy(target, third);
    expect(await recordsOf(third)).toMatchObject([{ origin: repository.config.id }]);
    expect((await runCopy(repository, await blake3.create(memoryStore()), { drills: false })).report.drills).toBe(0);
  });
});
