import { inspect } from 'node:util';
import { seededRandom } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { memoryStore, type ObjectStore, openRepository } from '../../src/index.ts';
import { keysOf, readDisk } from '../../testing/index.ts';
import { keyFile, newEncrypted, openWith, passphrase } from '../support/encrypted.ts';
import { runVerify } from '../support/run-verify.ts';
import { BLOCK, backup, deps, makeDisk, newRepository } from '../support/small-vm.ts';

async function allBytes(store: ObjectStore): Promise<Buffer> {
  const bodies: Uint8Array[] = [];
  for (const key of await keysOf(store, '')) bodies.push(await store.get(key));
  return Buffer.concat(bodies);
}

describe('an encrypted repository', () => {
  it.each(['blake3', 'sha256'] as const)('with %s gives back what was stored, full and incremental, to whoever opens it again', async (digest) => {
    const store = memoryStore();
    await using repository = await newEncrypted(store, keyFile(), digest);
    const disk = makeDisk(3, 40);
    const first = await backup(repository, disk);
    const changed = Buffer.from(disk);
    seededRandom(9)
      .bytes(BLOCK)
      .forEach((byte, i) => void changed.writeUInt8(byte, 7 * BLOCK + i));
    const parent = await repository.openDisk(first, 'disk-0');
    const second = await backup(repository, changed, { parent });
    expect(second.stats.changedBlocks).toBe(1);
    await using again = await openWith(store);
    for (const [point, expected] of [
      [first, disk],
      [second, changed],
    ] as const) {
      expect(Buffer.compare(await readDisk(await again.openDisk(await again.point(point.id), 'disk-0')), expected)).toBe(0);
      expect(Buffer.from(await again.readMetadata(point, 'vm.xml')).toString()).toContain('<VM>');
    }
    const { damage, report } = await runVerify(again);
    expect(damage).toEqual([]);
    expect(report).toMatchObject({ damaged: 0, orphanPacks: 0 });
  });

  it('I30: shows the store nothing of disks, metadata, names inside manifests or unkeyed digests', async () => {
    const store = memoryStore();
    await using repository = await newEncrypted(store);
    const marker = 'the quick brown fox of this very test';
    const disk = Buffer.concat([Buffer.alloc(BLOCK, `${marker}\n`), seededRandom(5).bytes(BLOCK)]);
    const point = await backup(repository, disk, { group: 'vm-42' });
    const plainStore = memoryStore();
    await using plain = await newRepository(plainStore);
    const plainPoint = await backup(plain, disk, { group: 'vm-42' });

    const seen = await allBytes(store);
    const shown = await allBytes(plainStore);
    const root = Buffer.from(plainPoint.disks[0]?.root ?? '', 'hex');
    // The plain repository shows all of it: the test can see what it looks for.
    for (const secret of [marker, 'disk-0', '<GROUP>', disk.subarray(BLOCK, BLOCK + 64), root]) {
      expect([secret, shown.includes(secret)]).toEqual([secret, true]);
      expect([secret, seen.includes(secret)]).toEqual([secret, false]);
    }
    expect(point.disks[0]?.root).not.toBe(plainPoint.disks[0]?.root);
  });

  it('stores equal blocks once, and equal disks of two repositories alike in nothing', async () => {
    const [one, other] = [memoryStore(), memoryStore()];
    const disk = makeDisk(4, 12);
    for (const store of [one, other]) {
      await using repository = await newEncrypted(store);
      await backup(repository, disk);
      const again = await backup(repository, disk);
      expect(again.stats.newChunks).toBe(0);
    }
    const bodies = async (store: ObjectStore): Promise<string[]> =>
      Promise.all((await keysOf(store, 'packs/')).map(async (key) => Buffer.from(await store.get(key)).toString('latin1', 64, 2000)));
    const [a, b] = [await bodies(one), await bodies(other)];
    expect(a.some((body) => b.includes(body))).toBe(false);
  });

  it('says that it is encrypted, and prints no key', async () => {
    const store = memoryStore();
    await using repository = await newEncrypted(store, passphrase('a passphrase of this test'));
    expect(repository.config.encryption).toMatchObject({ cipher: 'aes-256-gcm', kdf: 'hkdf-sha256' });
    const printed = inspect(repository, { depth: 20, showHidden: true }) + JSON.stringify(repository);
    const key = repository.digest.key?.reveal() ?? '';
    expect(key).toHaveLength(64);
    expect(printed).not.toContain(key);
    expect(printed).not.toContain('a passphrase of this test');
  });

  it.each([
    ['no secret', undefined, 'REPO_KEY_REQUIRED'],
    ['another key file', keyFile(2), 'REPO_KEY_REJECTED'],
    ['a passphrase', passphrase('guessed by somebody'), 'REPO_KEY_REJECTED'],
  ] as const)('does not open with %s', async (_, secret, code) => {
    const store = memoryStore();
    await using _repository = await newEncrypted(store);
    const before = await allBytes(store);
    await expect(openRepository(store, { ...deps, ...(secret && { secret }) })).rejects.toMatchObject({ code });
    expect((await allBytes(store)).equals(before)).toBe(true);
  });

  it('I31: a repository that is not encrypted is refused to those who expect one that is', async () => {
    const store = memoryStore();
    await using _repository = await newRepository(store);
    await expect(openWith(store)).rejects.toMatchObject({ code: 'REPO_NOT_ENCRYPTED' });
  });
});
