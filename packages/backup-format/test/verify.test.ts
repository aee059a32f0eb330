import { describe, expect, it } from 'vitest';
import { memoryStore, type ObjectStore, type Repository, type RestorePoint } from '../src/index.ts';
import { flipBit, keysOf, readDisk, swapObjects, truncateObject } from '../testing/index.ts';
import { runVerify } from './support/run-verify.ts';
import { BLOCK, backup, makeDisk, newRepository, reopen } from './support/small-vm.ts';

interface Fixture {
  readonly store: ObjectStore;
  readonly repository: Repository;
  readonly first: RestorePoint;
  readonly second: RestorePoint;
  readonly disks: readonly [Uint8Array, Uint8Array];
  /** Packs with disk data; those of the first point come first. */
  readonly dataPacks: readonly string[];
  readonly indexPacks: readonly string[];
}

/** Two points of different groups without a common block. */
async function twoPoints(): Promise<Fixture> {
  const store = memoryStore();
  const repository = await newRepository(store);
  const disks = [makeDisk(1, 12), makeDisk(2, 12)] as const;
  const first = await backup(repository, disks[0], { group: 'vm-1' });
  const early = await keysOf(store, 'packs/');
  const second = await backup(repository, disks[1], { group: 'vm-2' });
  const late = (await keysOf(store, 'packs/')).filter((key) => !early.includes(key));
  const ofType = async (keys: readonly string[], type: number): Promise<string[]> => {
    const types = await Promise.all(keys.map(async (key) => (await store.get(key))[64 + 4]));
    return keys.filter((_, n) => (types[n] === 1) === (type === 1));
  };
  const dataPacks = [...(await ofType(early, 1)), ...(await ofType(late, 1))];
  const indexPacks = [...(await ofType(early, 2)), ...(await ofType(late, 2))];
  return { store, repository, first, second, disks, dataPacks, indexPacks };
}

function key(keys: readonly string[], n: number): string {
  const found = keys[n];
  if (found === undefined) throw new Error(`there is no key ${n} in ${keys.join(', ')}`);
  return found;
}

async function expectRestores(store: ObjectStore, point: RestorePoint, disk: Uint8Array): Promise<void> {
  const repository = await reopen(store);
  expect(Buffer.compare(await readDisk(await repository.openDisk(point, 'disk-0')), disk)).toBe(0);
}

describe('verify', () => {
  it('finds nothing in a sound repository, having read all of it', async () => {
    const { repository, store } = await twoPoints();
    const { damage, report } = await runVerify(repository);
    expect(damage).toEqual([]);
    expect(report).toMatchObject({ points: 2, packs: 4, damaged: 0, orphanPacks: 0 });
    let stored = 0;
    for await (const { sizeBytes, key } of store.list('')) if (!key.endsWith('.json')) stored += sizeBytes;
    expect(report.readBytes).toBe(stored);
  });

  it('names the point, the disk and the bytes that a flipped bit in a chunk takes; the other point is untouched', async () => {
    const { store, first, second, disks, dataPacks } = await twoPoints();
    await flipBit(store, key(dataPacks, 0), 64 + 48 + 100);
    const repository = await reopen(store);
    const { damage, report } = await runVerify(repository);
    expect(report.damaged).toBe(1);
    expect(damage).toMatchObject([
      { key: dataPacks[0], error: { code: 'REPO_CHUNK_CORRUPT' }, affects: [{ pointId: first.id, group: 'vm-1', diskKey: 'disk-0' }] },
    ]);
    const ranges = damage[0]?.affects[0]?.ranges ?? [];
    expect(ranges.length).toBeGreaterThan(0);
    await expect(readDisk(await repository.openDisk(first, 'disk-0'))).rejects.toMatchObject({
      code: 'REPO_CHUNK_CORRUPT',
      details: { diskKey: 'disk-0', offset: ranges[0]?.offset },
    });
    await expectRestores(store, second, disks[1]);
  });

  it('I16: whatever is damaged, a restore gives the right bytes up to there and then an error, never a wrong byte', async () => {
    const { store, repository, first, disks, dataPacks } = await twoPoints();
    const size = (await store.get(key(dataPacks, 0))).length;
    for (let byte = 0; byte < size; byte += 997) {
      await flipBit(store, key(dataPacks, 0), byte, byte % 8);
      const reader = await (await reopen(store)).openDisk(first, 'disk-0');
      try {
        for await (const run of reader.blocks()) {
          if (run.kind === 'data') expect(Buffer.compare(run.data, disks[0].subarray(run.offset, run.offset + run.data.length))).toBe(0);
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'REPO_CHUNK_CORRUPT' });
      }
      await flipBit(store, key(dataPacks, 0), byte, byte % 8);
    }
    await repository[Symbol.asyncDispose]();
  });

  it('I6: finds a flipped bit in every structural byte of a pack', async () => {
    const { store, indexPacks } = await twoPoints();
    const pack = key(indexPacks, 0);
    const bytes = Buffer.from(await store.get(pack));
    const trailer = bytes.readUInt32LE(bytes.length - 64 + 16);
    const structural = [...Array(112).keys(), ...Array.from({ length: bytes.length - trailer }, (_, n) => trailer + n)];
    for (const byte of structural.filter((_, n) => n % 3 === 0)) {
      await flipBit(store, pack, byte, byte % 8);
      const { damage } = await runVerify(await reopen(store));
      expect(
        damage.map((found) => found.key),
        `byte ${byte}`,
      ).toContain(pack);
      await flipBit(store, pack, byte, byte % 8);
    }
  });

  it('says exactly which blocks a truncated pack still has', async () => {
    const { store, first, disks, dataPacks } = await twoPoints();
    const whole = await store.get(key(dataPacks, 0));
    await truncateObject(store, key(dataPacks, 0), Math.floor(whole.length / 2));
    const repository = await reopen(store);
    const { damage } = await runVerify(repository);
    expect(damage).toMatchObject([{ key: dataPacks[0], error: { code: 'REPO_PACK_INVALID' } }]);
    const lost = (offset: number): boolean =>
      (damage[0]?.affects[0]?.ranges ?? []).some((range) => offset >= range.offset && offset < range.offset + range.length);
    const reader = await repository.openDisk(first, 'disk-0');
    for (let block = 0; block < reader.grid.blockCount; block++) {
      const read = reader.blocks({ from: block, to: block + 1 }).next();
      if (lost(block * BLOCK)) await expect(read).rejects.toMatchObject({ code: 'REPO_CHUNK_MISSING', details: { offset: block * BLOCK } });
      else expect((await read).value).toMatchObject({ offset: block * BLOCK });
    }
    expect(damage[0]?.affects[0]?.ranges).not.toEqual([{ offset: 0, length: disks[0].length }]);
  });

  it('reports a pack that is gone, with all that it held', async () => {
    const { store, first, second, disks, dataPacks } = await twoPoints();
    await store.delete(key(dataPacks, 0));
    const { damage } = await runVerify(await reopen(store));
    expect(damage).toMatchObject([{ key: dataPacks[0], error: { code: 'REPO_OBJECT_MISSING' }, affects: [{ pointId: first.id, diskKey: 'disk-0' }] }]);
    await expectRestores(store, second, disks[1]);
  });

  it('reports the whole disk when its root or its page is damaged, and the metadata file when that is', async () => {
    const { store, first, disks, indexPacks } = await twoPoints();
    await store.delete(key(indexPacks, 0));
    const { damage } = await runVerify(await reopen(store));
    expect(damage).toMatchObject([{ key: indexPacks[0] }]);
    expect(damage[0]?.affects).toEqual([
      { pointId: first.id, group: 'vm-1', diskKey: 'disk-0', ranges: [{ offset: 0, length: disks[0].length }] },
      { pointId: first.id, group: 'vm-1', metadata: 'vm.xml' },
    ]);
  });

  it('I6: finds packs that changed places', async () => {
    const { store, dataPacks } = await twoPoints();
    await swapObjects(store, key(dataPacks, 0), key(dataPacks, 1));
    const { damage } = await runVerify(await reopen(store));
    expect(damage.map((found) => found.key).sort()).toEqual([...dataPacks].sort());
    expect(damage.flatMap((found) => found.affects)).toHaveLength(2);
  });

  const tableHarms: readonly [string, (store: ObjectStore, table: string, size: number) => Promise<void>][] = [
    ['with a flipped bit in a page', (store, table) => flipBit(store, table, 40)],
    ['with a flipped bit in the fence', (store, table, size) => flipBit(store, table, size - 130)],
    ['with a flipped bit in the footer', (store, table, size) => flipBit(store, table, size - 100)],
    ['that is cut short', (store, table) => truncateObject(store, table, 4096)],
    ['that is lost', (store, table) => store.delete(table)],
  ];
  for (const [harm, doHarm] of tableHarms) {
    it(`I8, I9: reports an index table ${harm}, and whom it keeps from their data`, async () => {
      const { store, first, second, disks } = await twoPoints();
      const table = key(await keysOf(store, 'index/'), 0);
      await doHarm(store, table, (await store.get(table)).length);
      const { damage } = await runVerify(await reopen(store));
      expect(damage).toMatchObject([{ key: harm === 'that is lost' ? 'index/' : table }]);
      expect(new Set(damage[0]?.affects.map(({ pointId }) => pointId))).toEqual(new Set([first.id]));
      await expectRestores(store, second, disks[1]);
    });
  }

  it('I11: finds every flipped byte of a manifest, and a manifest in the wrong place', async () => {
    const { store, second, disks } = await twoPoints();
    const manifest = key(await keysOf(store, 'points/vm-1/'), 0);
    const size = (await store.get(manifest)).length;
    for (let byte = 0; byte < size; byte += 17) {
      await flipBit(store, manifest, byte, byte % 7);
      const { damage } = await runVerify(await reopen(store));
      expect(damage, `byte ${byte}`).toMatchObject([{ key: manifest }]);
      await flipBit(store, manifest, byte, byte % 7);
    }
    await store.put(manifest.replace('vm-1', 'vm-3'), await store.get(manifest));
    expect((await runVerify(await reopen(store))).damage).toMatchObject([{ key: manifest.replace('vm-1', 'vm-3'), error: { code: 'REPO_MANIFEST_INVALID' } }]);
    await expectRestores(store, second, disks[1]);
  });

  it('reports a config that was damaged while the repository was open', async () => {
    const { store, repository } = await twoPoints();
    await flipBit(store, 'onevault.json', -20);
    expect((await runVerify(repository)).damage).toMatchObject([{ key: 'onevault.json', error: { code: 'REPO_CONFIG_INVALID' } }]);
    await store.delete('onevault.json');
    expect((await runVerify(repository)).damage).toMatchObject([{ key: 'onevault.json', error: { code: 'REPO_NOT_FOUND' } }]);
  });

  it('counts what a killed run left, and does not call it damage', async () => {
    const { store, repository } = await twoPoints();
    await backup(repository, makeDisk(3, 12), { group: 'vm-3' });
    await store.delete(key(await keysOf(store, 'points/vm-3/'), 0));
    await store.delete(key(await keysOf(store, 'index/'), 2));
    const { damage, report } = await runVerify(await reopen(store));
    expect(damage).toEqual([]);
    expect(report.orphanPacks).toBe(2);
  });

  it('I14: leaves alone what is not an object of the format', async () => {
    const { store } = await twoPoints();
    for (const stray of ['packs/aa/README', 'index/old', 'points/x', 'points/vm-1/notes.txt', 'leases/one', 'notes']) await store.put(stray, Buffer.from('?'));
    const { damage, report } = await runVerify(await reopen(store));
    expect(damage).toEqual([]);
    expect(report).toMatchObject({ points: 2, packs: 4 });
  });

  it('stops at once when it is aborted, with the reason of the signal', async () => {
    const { repository } = await twoPoints();
    const reason = new Error('enough');
    await expect(repository.verify({ signal: AbortSignal.abort(reason) }).next()).rejects.toBe(reason);
  });
});
