import { createHash } from 'node:crypto';
import { seededRandom } from '@onevault/base/testing';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/format/canonical-json.ts';
import { encodeEnvelope } from '../../src/format/envelope.ts';
import { type Json, memoryStore, type ObjectStore, type Repository, type RestorePoint } from '../../src/index.ts';
import { flipBit, keysOf, readDisk, swapObjects } from '../../testing/index.ts';
import { keyFile, newEncrypted, openWith, passphrase, QUICK } from '../support/encrypted.ts';
import { runVerify } from '../support/run-verify.ts';
import { packOfType } from '../support/runs.ts';
import { BLOCK, backup, newRepository, reopen } from '../support/small-vm.ts';

const CHUNK = 48 + 24 + BLOCK + 16;

interface Scene {
  readonly store: ObjectStore;
  readonly point: RestorePoint;
  readonly disk: Uint8Array;
}

/** One point of a disk of 6 blocks of noise: chunks of equal length, one behind the other. */
async function scene(seed = 1): Promise<Scene> {
  const store = memoryStore();
  const disk = seededRandom(seed).bytes(6 * BLOCK);
  await using repository = await newEncrypted(store);
  return { store, disk, point: await backup(repository, disk) };
}

/** Verify names the object, and a restore fails with the code: it never hands out other bytes. */
async function expectFound(store: ObjectStore, point: RestorePoint, key: string, restoreCode: string | RegExp | undefined): Promise<void> {
  await using repository = await openWith(store);
  const { damage } = await runVerify(repository);
  expect(damage.map((one) => one.key)).toContain(key);
  if (restoreCode !== undefined) await expect(restore(repository, point)).rejects.toMatchObject({ code: expect.stringMatching(restoreCode) });
}

async function restore(repository: Repository, { id }: RestorePoint): Promise<Uint8Array> {
  const point = await repository.point(id);
  return readDisk(await repository.openDisk(point, 'disk-0'));
}

async function moveBytes(store: ObjectStore, key: string, from: number, to: number, length: number): Promise<void> {
  const bytes = Buffer.from(await store.get(key));
  const held = Buffer.from(bytes.subarray(from, from + length));
  bytes.copy(bytes, from, to, to + length);
  held.copy(bytes, to);
  await store.put(key, bytes);
}

/** An envelope whose checksum is right, as anyone can make it. */
function forge(object: 'config' | 'point' | 'key', body: Json): Buffer {
  return encodeEnvelope(object, body);
}

async function bodyOf(store: ObjectStore, key: string): Promise<Record<string, Json>> {
  const [, body = ''] = Buffer.from(await store.get(key))
    .toString('utf8')
    .split('\n');
  return JSON.parse(body) as Record<string, Json>;
}

describe('I32: one chunk passed off as another is found', () => {
  it('two chunks exchanged with their headers', async () => {
    const { store, point } = await scene();
    const key = await packOfType(store, 1);
    await moveBytes(store, key, 64, 64 + CHUNK, CHUNK);
    await expectFound(store, point, key, 'REPO_CHUNK_CORRUPT');
  });

  it('two payloads exchanged below their headers', async () => {
    const { store, point } = await scene();
    const key = await packOfType(store, 1);
    await moveBytes(store, key, 64 + 48, 64 + CHUNK + 48, CHUNK - 48);
    await expectFound(store, point, key, 'REPO_CHUNK_CORRUPT');
  });

  it('any bit of header, nonce, ciphertext and tag', async () => {
    const { store, point } = await scene();
    const key = await packOfType(store, 1);
    for (const at of [0, 4, 5, 6, 7, 8, 12, 16, 47, 48, 71, 72, 72 + 777, 72 + BLOCK - 1, 72 + BLOCK, CHUNK - 1]) {
      await flipBit(store, key, 64 + at, at % 8);
      await using repository = await openWith(store);
      await expect(restore(repository, point)).rejects.toMatchObject({ code: 'REPO_CHUNK_CORRUPT' });
      await flipBit(store, key, 64 + at, at % 8);
    }
    await using repository = await openWith(store);
    expect(await restore(repository, point)).toHaveLength(6 * BLOCK);
  });
});

describe('I34: packs and index tables of others are found', () => {
  it('two packs exchanged', async () => {
    const { store, point } = await scene();
    const [a = '', b = ''] = await keysOf(store, 'packs/');
    await swapObjects(store, a, b);
    await expectFound(store, point, a, /REPO_CHUNK_(MISSING|CORRUPT)/);
  });

  it('a pack under the key of another one, also with its id written over', async () => {
    const { store, point } = await scene();
    const [a = '', b = ''] = await keysOf(store, 'packs/');
    const bytes = Buffer.from(await store.get(a));
    Buffer.from(b.slice(-32), 'hex').copy(bytes, 32);
    const footer = bytes.length - 64;
    // The checksum of a repository without encryption: all that somebody without the key can compute.
    createHash('sha256')
      .update(bytes.subarray(0, 64))
      .update(bytes.subarray(bytes.readUInt32LE(footer + 16), footer + 32))
      .digest()
      .copy(bytes, footer + 32);
    await store.put(b, bytes);
    await expectFound(store, point, b, /REPO_CHUNK_(MISSING|CORRUPT)/);
  });

  it('two index tables exchanged count as holding nothing, and are made again from the packs', async () => {
    const store = memoryStore();
    const disk = seededRandom(3).bytes(4 * BLOCK);
    await using repository = await newEncrypted(store);
    const point = await backup(repository, disk);
    await backup(repository, seededRandom(4).bytes(40 * BLOCK), { group: 'vm-2' });
    const tables = await keysOf(store, 'index/');
    expect(tables.length).toBe(2);
    const [a = '', b = ''] = tables;
    await swapObjects(store, a, b);
    await expectFound(store, point, a, 'REPO_CHUNK_MISSING');
    await expectFound(store, point, b, 'REPO_CHUNK_MISSING');
    await using again = await openWith(store);
    await again.repair();
    expect(Buffer.compare(await restore(again, point), disk)).toBe(0);
  });

  it('a table that was made without the key', async () => {
    const { store, point } = await scene();
    const [key = ''] = await keysOf(store, 'index/');
    const bytes = Buffer.from(await store.get(key));
    const sha256 = (from: number, to: number): Buffer => createHash('sha256').update(bytes.subarray(from, to)).digest();
    bytes.writeUInt32LE(64, 16 + 36); // the first chunk "lies" at the beginning of its pack
    for (let page = 0; page < bytes.length - 4096; page += 4096) sha256(page, page + 4064).copy(bytes, page + 4064);
    sha256(bytes.length - 128, bytes.length - 32).copy(bytes, bytes.length - 32);
    await store.put(key, bytes);
    await expectFound(store, point, key, 'REPO_CHUNK_MISSING');
  });

  it('a chunk in the clear does not belong into the repository', async () => {
    const { store, point } = await scene();
    const [key = ''] = await keysOf(store, 'packs/');
    await flipBit(store, key, 64 + 6, 0);
    await expectFound(store, point, key, undefined);
  });
});

describe('I33: JSON objects are valid in one place only', () => {
  it('two manifests exchanged, and one under the key of another group', async () => {
    const { store, point } = await scene();
    await using repository = await openWith(store);
    const other = await backup(repository, seededRandom(8).bytes(BLOCK));
    const [a = '', b = ''] = await keysOf(store, 'points/');
    await swapObjects(store, a, b);
    await expectFound(store, point, a, 'REPO_MANIFEST_INVALID');
    await expectFound(store, other, b, 'REPO_MANIFEST_INVALID');
    await swapObjects(store, a, b);
    const stolen = a.replace('vm-1', 'vm-2');
    await store.put(stolen, await store.get(a));
    await expectFound(store, point, stolen, undefined);
  });

  it('every bit of a manifest counts', async () => {
    const { store, point } = await scene();
    const [key = ''] = await keysOf(store, 'points/');
    const { length } = await store.get(key);
    for (let at = 0; at < length; at += 7) {
      await flipBit(store, key, at, at % 8);
      await using repository = await openWith(store);
      await expect(repository.point(point.id)).rejects.toMatchObject({ code: expect.stringMatching(/^REPO_(MANIFEST_INVALID|UNSUPPORTED_VERSION)$/) });
      await flipBit(store, key, at, at % 8);
    }
  });

  it('a manifest that was made without the key, and one of a repository with the same data and another key', async () => {
    const { store, point, disk } = await scene();
    const [key = ''] = await keysOf(store, 'points/');
    await using plain = await newRepository(memoryStore());
    const body = { ...JSON.parse(JSON.stringify(await backup(plain, disk))), id: point.id, repositoryId: '00'.repeat(16), formatVersion: 1 } as Json;
    await store.put(key, forge('point', body));
    await expectFound(store, point, key, 'REPO_MANIFEST_INVALID');
    const foreign = await scene();
    const [foreignKey = ''] = await keysOf(foreign.store, 'points/');
    await store.put(key, await foreign.store.get(foreignKey));
    await expectFound(store, point, key, 'REPO_MANIFEST_INVALID');
  });

  it('what was deleted cannot be told from what never was: the newest point gone is not damage', async () => {
    const { store, point } = await scene();
    await using repository = await openWith(store);
    await backup(repository, seededRandom(8).bytes(BLOCK));
    const [, newest = ''] = await keysOf(store, 'points/');
    await store.delete(newest);
    await using again = await openWith(store);
    expect((await runVerify(again)).damage).toEqual([]);
    expect(await restore(again, point)).toHaveLength(6 * BLOCK);
  });
});

describe('I31: the config is believed only with the key', () => {
  it.each([
    ['created', '2020-01-01T00:00:00Z'],
    ['blockSizeBytes', 131_072],
    ['digest', 'sha256'],
    ['compression', { codec: 'zstd', level: 12 }],
  ] as const)('%s changed', async (field, value) => {
    const { store } = await scene();
    await store.put('onevault.json', forge('config', { ...(await bodyOf(store, 'onevault.json')), [field]: value }));
    await expect(openWith(store)).rejects.toMatchObject({ code: 'REPO_CONFIG_INVALID' });
  });

  it('taken for one without encryption: who has a secret writes nothing in the clear', async () => {
    const { store } = await scene();
    await store.put('onevault.json', forge('config', { ...(await bodyOf(store, 'onevault.json')), encryption: null }));
    await expect(openWith(store)).rejects.toMatchObject({ code: 'REPO_NOT_ENCRYPTED' });
    await using unaware = await reopen(store); // reads nothing either
    expect((await runVerify(unaware)).damage.length).toBeGreaterThan(0);
  });

  it('changed below an open repository is found by verify', async () => {
    const { store } = await scene();
    await using repository = await openWith(store);
    await store.put('onevault.json', forge('config', { ...(await bodyOf(store, 'onevault.json')), created: '2020-01-01T00:00:00Z' }));
    expect((await runVerify(repository)).damage.map(({ key }) => key)).toEqual(['onevault.json']);
  });
});

describe('I35: a key slot opens one repository', () => {
  it('not that of another one, also with its id written over', async () => {
    const { store } = await scene();
    const other = memoryStore();
    await using _attacker = await newEncrypted(other, passphrase('known to the attacker'));
    const [theirs = ''] = await keysOf(other, 'keys/');
    const [ours = ''] = await keysOf(store, 'keys/');
    const slot = await bodyOf(other, theirs);
    await store.put(theirs, await other.get(theirs));
    await expect(openWith(store, passphrase('known to the attacker'))).rejects.toMatchObject({ code: 'REPO_KEY_REJECTED' });
    const { repositoryId = '' } = await bodyOf(store, ours);
    await store.put(theirs, forge('key', { ...slot, repositoryId }));
    await expect(openWith(store, passphrase('known to the attacker'))).rejects.toMatchObject({ code: 'REPO_KEY_REJECTED' });
    await using repository = await openWith(store); // whoever has the right secret is not kept out
    expect(repository.keys).toBeDefined();
  });

  it('nor with anything else in it changed', async () => {
    const { store } = await scene();
    const [key = ''] = await keysOf(store, 'keys/');
    const slot = await bodyOf(store, key);
    for (const change of [
      { label: 'x' },
      { created: '2020-01-01T00:00:00Z' },
      { wrapped: '00'.repeat(48) },
      { derivation: { algorithm: 'hkdf-sha256', salt: '00'.repeat(32) } },
    ]) {
      await store.put(key, forge('key', { ...slot, ...change }));
      await expect(openWith(store)).rejects.toMatchObject({ code: 'REPO_KEY_REJECTED' });
    }
  });

  it('nor can it ask for more work than the format allows', async () => {
    const { store } = await scene();
    const [key = ''] = await keysOf(store, 'keys/');
    const slot = await bodyOf(store, key);
    for (const work of [{ logN: 30 }, { r: 1_000_000 }, { p: 100_000 }, { logN: 20, r: 32, p: 16 }, { logN: 1 }]) {
      const derivation = { algorithm: 'scrypt', salt: '00'.repeat(32), ...QUICK, ...work };
      await store.put(key, forge('key', { ...slot, kind: 'passphrase', derivation }));
      const started = process.hrtime.bigint();
      await expect(openWith(store, passphrase('anything at all'))).rejects.toMatchObject({ code: 'REPO_KEY_INVALID' });
      expect(Number(process.hrtime.bigint() - started) / 1e6).toBeLessThan(2000);
    }
  });
});

it('canonical JSON is what slots and the config are authenticated as', () => {
  expect(canonicalJson({ b: 1, a: [true, null] })).toBe('{"a":[true,null],"b":1}');
});

it('the scene restores when nobody touched it', async () => {
  const { store, point, disk } = await scene();
  await using repository = await openWith(store, keyFile());
  expect(Buffer.compare(await restore(repository, point), disk)).toBe(0);
});
