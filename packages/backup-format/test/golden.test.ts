import { describe, expect, it } from 'vitest';
import type { RestorePoint } from '../src/index.ts';
import { keysOf } from '../testing/index.ts';
import { addPoint, GOLDEN_NAMES, makeGolden, openGolden, readPoint } from './support/golden.ts';
import { runVerify } from './support/run-verify.ts';
import { allPoints } from './support/small-vm.ts';

const wanted = process.env['MAKE_GOLDEN'];
if (wanted !== undefined) {
  describe('MAKE_GOLDEN', () => {
    it(`writes the golden repository ${wanted}, if there is none of that name`, async () => {
      const name = GOLDEN_NAMES.find((known) => known === wanted);
      if (!name) throw new Error(`MAKE_GOLDEN is one of ${GOLDEN_NAMES.join(', ')}`);
      await makeGolden(name);
      expect((await openGolden(name)).golden.points).toHaveLength(5);
    });
  });
}

describe.each(GOLDEN_NAMES)('the golden repository %s', (name) => {
  it('opens, restores every point byte for byte, with its metadata and marks, and verifies', async () => {
    const { repository, golden } = await openGolden(name);
    const points = await allPoints(repository);
    expect(await Promise.all(points.map((point) => readPoint(repository, point)))).toEqual(golden.points);
    expect(points.map(({ annotations }) => annotations)).toEqual(points.map(() => ({ name: 'golden', nested: { list: [1, null, 'ü'] } })));
    const { damage, report } = await runVerify(repository);
    expect(damage).toEqual([]);
    expect(report).toMatchObject({ points: 5, damaged: 0, orphanPacks: 0 });
  });

  it('takes a new point beside the old ones', async () => {
    const { repository, golden } = await openGolden(name);
    const last = (await allPoints(repository)).at(-1) as RestorePoint;
    const added = await addPoint(repository, last);
    const points = await allPoints(repository);
    expect(await Promise.all(points.map((point) => readPoint(repository, point)))).toEqual([...golden.points, added]);
    expect((await runVerify(repository)).damage).toEqual([]);
  });

  it('is small, and shows every kind of object that it is there for', async () => {
    const { store } = await openGolden(name);
    let bytes = 0;
    const kinds = new Set<string>();
    for (const key of await keysOf(store, '')) {
      bytes += (await store.stat(key))?.sizeBytes ?? 0;
      kinds.add(key.split('/')[0] ?? '');
    }
    expect(bytes).toBeLessThan(100_000);
    expect([...kinds]).toEqual(
      expect.arrayContaining(['onevault.json', 'packs', 'index', 'points', 'marks', 'verify', ...(name === 'v1-encrypted' ? ['keys'] : [])]),
    );
    // Fewer tables than runs: one of them is merged.
    expect((await keysOf(store, 'index/')).length).toBeLessThan(5);
  });

  it('is never written again', async () => {
    await expect(makeGolden(name)).rejects.toMatchObject({ code: 'EEXIST' });
  });
});
