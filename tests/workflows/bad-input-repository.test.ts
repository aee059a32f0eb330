import { type FaultyStore, faultyStore, flipBit, fullFromWrite, keysOf, truncateObject } from '@onevault/backup-format/testing';
import { errorCode } from '@onevault/base';
import { backupVm } from '@onevault/orchestrator';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { countPoints, expectNoTrace, expectRestores, failureOf, type OlderPoint } from '../support/aftermath.ts';
import { type Census, makeWorld, type World } from '../support/world.ts';

async function bytesOf(world: World): Promise<OlderPoint['disks']> {
  return Promise.all([0, 1].map(async (diskId) => ({ diskId, bytes: await world.diskBytes(world.vm, diskId) })));
}

describe('a repository that is full', () => {
  let world: World;
  let older: OlderPoint;
  beforeAll(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 2 }, { sizeMiB: 2, persistent: true }] });
    const disks = await bytesOf(world);
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    older = { pointId, disks };
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it('at any of its writes fails the run and leaves nothing in the cloud; what was there stays', { timeout: 120_000 }, async () => {
    const census = await world.census();
    for (let n = 1; ; n++) {
      await world.sim.control.writeRandom(world.vm, 0, { seed: 100 + n, count: 4, blockBytes: 65_536 });
      let store: FaultyStore | undefined;
      await using repository = await world.reopen((inner) => {
        store = faultyStore(inner, fullFromWrite(n));
        return store;
      });
      const outcome = await backupVm(world.deps({ repository }), world.backupRequest()).catch((error: unknown) => error);
      if ((store?.writes ?? 0) < n) {
        expect(outcome).toMatchObject({ kind: 'backup', residue: [] });
        expect(n, 'writes of a run').toBeGreaterThan(4);
        break;
      }
      expect(errorCode(outcome), `full at write ${n}`).toBe('REPO_NO_SPACE');
      expect(await countPoints(world)).toBe(1);
      expect(await world.leftovers()).toEqual([]);
      expect(await world.unfinishedRuns()).toEqual([]);
    }
    await expectNoTrace(world, census, [older]);
  });
});

describe('a damaged parent', () => {
  let world: World;
  let census: Census;
  beforeEach(async () => {
    world = await makeWorld({ disks: [{ sizeMiB: 2 }, { sizeMiB: 1 }] });
    census = await world.census();
    // One disk after the other: which of them a damaged byte belongs to must not depend on which was quicker.
    await backupVm(world.deps(), world.backupRequest({ parallelDisks: 1 }));
  });
  afterEach(() => world[Symbol.asyncDispose]());

  /** The packs by what is in them: index pages and metadata are few and small. */
  async function packs(kind: 'data' | 'index'): Promise<string[]> {
    const sizes = await Promise.all((await keysOf(world.store, 'packs/')).map(async (key) => ({ key, bytes: (await world.store.get(key)).length })));
    return sizes.filter(({ bytes }) => bytes > 64 * 1024 === (kind === 'data')).map(({ key }) => key);
  }

  /** After the damage: fulls with the reason, a new point that is whole, and the older point's disks whole again through it. */
  async function expectHealed(reasons: readonly string[]): Promise<void> {
    await using repository = await world.reopen();
    const report = await backupVm(world.deps({ repository }), world.backupRequest());
    expect(report.disks.map((disk) => disk.modeReason)).toEqual(reasons);
    expect(report.warnings.map((warning) => warning.code)).toEqual(reasons.filter((reason) => reason !== 'PARENT_TRUSTED'));
    const touched: string[] = [];
    for await (const { affects } of repository.verify())
      for (const { pointId, diskKey } of affects) if (pointId === report.pointId || diskKey !== undefined) touched.push(`${pointId} ${diskKey}`);
    expect(touched, 'restore points and disks that damage still touches').toEqual([]);
    expect(await world.leftovers()).toEqual([]);
    expect(await world.census()).toEqual(census);
    await expectRestores(world, { pointId: report.pointId, disks: await bytesOf(world) });
  }

  it('a manifest that was flipped', async () => {
    const [manifest = ''] = await keysOf(world.store, 'points/');
    await flipBit(world.store, manifest, 40);
    await using repository = await world.reopen();
    const report = await backupVm(world.deps({ repository }), world.backupRequest());
    expect(report.disks.map((disk) => disk.modeReason)).toEqual(['PARENT_MANIFEST_DAMAGED', 'PARENT_MANIFEST_DAMAGED']);
    expect(report.warnings.map((warning) => warning.code)).toEqual(['RESTORE_POINT_DAMAGED']);
    expect(report.parentId).toBeUndefined();
    await world.store.delete(manifest);
    await expectNoTrace(world, census, [{ pointId: report.pointId, disks: await bytesOf(world) }]);
  });

  it('data packs cut to nothing', async () => {
    for (const key of await packs('data')) await truncateObject(world.store, key, 100);
    await expectHealed(['PARENT_SAMPLE_DAMAGED', 'PARENT_SAMPLE_DAMAGED']);
  });

  it('the index pack cut to nothing', async () => {
    for (const key of await packs('index')) await truncateObject(world.store, key, 100);
    await expectHealed(['PARENT_INDEX_DAMAGED', 'PARENT_INDEX_DAMAGED']);
  });

  it('a flipped bit in a chunk of the first disk: only that disk is read as a full', async () => {
    const [data = ''] = await packs('data');
    await flipBit(world.store, data, 200);
    await expectHealed(['PARENT_SAMPLE_DAMAGED', 'PARENT_TRUSTED']);
  });

  it('a flipped bit in an index page', async () => {
    const [index = ''] = await packs('index');
    await flipBit(world.store, index, 200);
    await expectHealed(['PARENT_INDEX_DAMAGED', 'PARENT_TRUSTED']);
  });
});

describe('a repository of a newer format', () => {
  it('is refused, and OpenNebula is asked for nothing', async () => {
    await using world = await makeWorld({ disks: [{ sizeMiB: 1 }] });
    const census = await world.census();
    const { pointId } = await backupVm(world.deps(), world.backupRequest());
    await world.store.put('onevault.json', newerFormat(await world.store.get('onevault.json')));
    expect(errorCode(await failureOf(world.reopen()))).toBe('REPO_UNSUPPORTED_VERSION');
    // A process that had it open goes on reading what it understands.
    expect((await world.repository.point(pointId)).id).toBe(pointId);
    expect(await world.leftovers()).toEqual([]);
    expect(await world.census()).toEqual(census);
  });

  it('a single restore point of a newer format is no parent, and is said to be unreadable', async () => {
    await using world = await makeWorld({ disks: [{ sizeMiB: 1 }] });
    await backupVm(world.deps(), world.backupRequest());
    const [manifest = ''] = await keysOf(world.store, 'points/');
    await world.store.put(manifest, newerFormat(await world.store.get(manifest)));
    const report = await backupVm(world.deps(), world.backupRequest());
    expect(report.disks.map((disk) => disk.modeReason)).toEqual(['PARENT_MANIFEST_DAMAGED']);
    expect(report.warnings.map((warning) => warning.code)).toEqual(['RESTORE_POINT_DAMAGED']);
  });
});

function newerFormat(object: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(object).toString('utf8').replace('"version":1', '"version":2'));
}
