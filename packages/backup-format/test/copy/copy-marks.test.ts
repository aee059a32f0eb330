import { beforeEach, describe, expect, it } from 'vitest';
import { memoryStore, type ObjectStore, type PointMarks, type Repository } from '../../src/index.ts';
import { flipBit, keysOf } from '../../testing/index.ts';
import { runVerify } from '../support/run-verify.ts';
import { allPoints, backup, deps, makeDisk } from '../support/small-vm.ts';
import { blake3, diskOf, type Kind, runCopy, sealed } from './copying.ts';

async function marksIn(repository: Repository, pointId: string): Promise<PointMarks | undefined> {
  for await (const marks of repository.marks.list({ pointId })) return marks;
  return undefined;
}

describe.each([
  ['in the clear', blake3, blake3],
  ['with another key', sealed(1), sealed(2)],
] as const)('a copy into a repository %s', (_title, sourceKind: Kind, targetKind: Kind) => {
  let from: ObjectStore;
  let to: ObjectStore;
  let source: Repository;
  let target: Repository;
  beforeEach(async () => {
    from = memoryStore();
    to = memoryStore();
    source = await sourceKind.create(from);
    target = await targetKind.create(to);
  });

  it('carries holds that stand and tags, also those set since, each once; taking them away is left to those who look after the target', async () => {
    const until = (ms: number): string => new Date(deps.clock.now().getTime() + ms).toISOString();
    const { id } = await backup(source, makeDisk(1, 3));
    await source.marks.tag(id, ['monthly', 'audit']);
    const hold = await source.marks.hold(id, { reason: 'ticket-42', by: 'eva', until: until(3600_000) });
    await source.marks.hold(id, { reason: 'over', by: 'eva', until: until(-1) });
    expect((await runCopy(source, target)).report.marks).toEqual({ holds: 1, tags: 2, unreadable: 0 });
    expect(await marksIn(target, id)).toMatchObject({ holds: [hold], tags: ['audit', 'monthly'] });
    await expect(target.forgetPoint(id, { evenLast: true })).rejects.toMatchObject({ code: 'REPO_POINT_HELD' });

    await source.marks.tag(id, ['later']);
    await source.marks.untag(id, ['audit']);
    const again = await runCopy(source, target);
    expect(again).toMatchObject({ outcomes: [{ kind: 'present' }], report: { marks: { holds: 0, tags: 1, unreadable: 0 } } });
    expect(await marksIn(target, id)).toMatchObject({ holds: [hold], tags: ['audit', 'later', 'monthly'] });
    await source.marks.tag(id, ['here-only']);
    expect((await runCopy(source, target, { marks: false })).report.marks).toEqual({ holds: 0, tags: 0, unreadable: 0 });
    expect((await marksIn(target, id))?.tags).not.toContain('here-only');
  });

  it('says how many marks cannot be read, and carries the others', async () => {
    const { id } = await backup(source, makeDisk(1, 3));
    await source.marks.tag(id, ['x']);
    const { id: holdId } = await source.marks.hold(id, { reason: 'r', by: 'b' });
    await flipBit(from, `marks/vm-1/${id}/hold-${holdId}`, -5);
    expect((await runCopy(source, target)).report.marks).toEqual({ holds: 0, tags: 1, unreadable: 1 });
  });

  it('finds a damaged manifest in the target, keeps it aside and copies the point again', async () => {
    const disk = makeDisk(1, 12);
    const { id } = await backup(source, disk);
    await runCopy(source, target);
    const key = `points/vm-1/${id}.json`;
    await flipBit(to, key, 200);
    const damaged = await to.get(key);
    const { outcomes, report } = await runCopy(source, target);
    expect(outcomes).toMatchObject([{ kind: 'copied', point: { id }, replaced: `quarantine/${key}` }]);
    expect(report).toMatchObject({ copied: 1, storedBytes: 0 });
    expect(Buffer.compare(await to.get(`quarantine/${key}`), damaged)).toBe(0);
    expect(Buffer.compare(await diskOf(target, (await allPoints(await targetKind.open(to)))[0]), disk)).toBe(0);
    expect((await runVerify(await targetKind.open(to))).damage).toEqual([]);
    expect((await runCopy(source, target)).outcomes).toMatchObject([{ kind: 'present' }]);
  });

  it('leaves a damaged manifest where it is when the point cannot be copied', async () => {
    const { id } = await backup(source, makeDisk(1, 12));
    await runCopy(source, target);
    const key = `points/vm-1/${id}.json`;
    await flipBit(to, key, 200);
    for (const pack of await keysOf(from, 'packs/')) await from.delete(pack);
    expect((await runCopy(await sourceKind.open(from), target)).outcomes).toMatchObject([{ kind: 'failed' }]);
    expect(await keysOf(to, 'points/')).toEqual([key]);
  });
});
