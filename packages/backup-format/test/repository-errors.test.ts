import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeEnvelope } from '../src/format/envelope.ts';
import { createRepository, fileStore, memoryStore, openRepository } from '../src/index.ts';
import { storeError } from '../src/store/file-errors.ts';
import { faultyStore, flipBit, keysOf, truncateObject } from '../testing/index.ts';
import { allPoints, backup, deps, makeDisk, newRepository, reopen } from './support/small-vm.ts';

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'onevault-repository-'));
});
afterEach(() => rm(path, { recursive: true }));

describe('creating a repository', () => {
  it('makes the directory and what is above it', async () => {
    const store = fileStore(join(path, 'new', 'deep'));
    const { config, location } = await createRepository(store, {}, deps);
    expect(config).toMatchObject({ formatVersion: 1, digest: 'blake3', blockSizeBytes: 1048576, compression: { codec: 'zstd', level: 2 } });
    expect((await openRepository(fileStore(location), deps)).config).toEqual(config);
  });

  it('refuses a repository that is there, a directory with other content, and a file', async () => {
    await createRepository(fileStore(join(path, 'one')), {}, deps);
    await expect(createRepository(fileStore(join(path, 'one')), {}, deps)).rejects.toMatchObject({ code: 'REPO_EXISTS' });
    await mkdir(join(path, 'two'));
    await writeFile(join(path, 'two', 'holiday photo.jpg'), 'x');
    await expect(createRepository(fileStore(join(path, 'two')), {}, deps)).rejects.toMatchObject({
      code: 'REPO_NOT_EMPTY',
      details: { key: 'holiday photo.jpg' },
    });
    await expect(createRepository(fileStore(join(path, 'two', 'holiday photo.jpg')), {}, deps)).rejects.toMatchObject({ code: 'REPO_PATH_INVALID' });
  });

  it('takes a directory with empty directories, dot files and lost+found', async () => {
    await mkdir(join(path, 'lost+found'));
    await mkdir(join(path, 'packs'));
    await writeFile(join(path, '.tmp-onevault.json-0011'), 'debris');
    await createRepository(fileStore(path), {}, deps);
  });

  it('I18: of two that create at once one gets REPO_EXISTS', async () => {
    const results = await Promise.allSettled([1, 2, 3].map(() => createRepository(fileStore(path), {}, deps)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) if (result.status === 'rejected') expect(['REPO_EXISTS', 'REPO_NOT_EMPTY']).toContain(result.reason.code);
  });

  it('refuses block sizes and levels outside the format', async () => {
    for (const init of [
      { blockSizeBytes: 32768 },
      { blockSizeBytes: 100_000 },
      { blockSizeBytes: 8 * 1024 * 1024 },
      { compressionLevel: 0 },
      { compressionLevel: 19 },
    ]) {
      await expect(createRepository(memoryStore(), init, deps)).rejects.toThrow(RangeError);
    }
  });
});

describe('what the system says becomes what a person can act on', () => {
  const system = (code: string): Error => Object.assign(new Error(`${code}: something`), { code });
  for (const [doing, errno, code, retryable] of [
    ['write', 'ENOSPC', 'REPO_NO_SPACE', false],
    ['write', 'EDQUOT', 'REPO_NO_SPACE', false],
    ['write', 'EROFS', 'REPO_NOT_WRITABLE', false],
    ['write', 'EACCES', 'REPO_NOT_WRITABLE', false],
    ['read', 'EACCES', 'REPO_STORE_FAILED', false],
    ['read', 'EIO', 'REPO_STORE_FAILED', false],
    ['read', 'ESTALE', 'REPO_STORE_FAILED', true],
    ['list', 'ENOTDIR', 'REPO_PATH_INVALID', false],
  ] as const) {
    it(`${errno} while the store ${doing}s is ${code}`, () => {
      const cause = system(errno);
      const error = storeError(doing, '/backup', 'packs/aa/one', cause);
      expect(error).toMatchObject({ code, retryable, cause, details: { key: 'packs/aa/one', location: '/backup' } });
    });
  }
});

describe('opening a repository', () => {
  it('tells a missing one, a file and a directory without a config apart', async () => {
    await writeFile(join(path, 'file'), 'x');
    await expect(openRepository(fileStore(join(path, 'none')), deps)).rejects.toMatchObject({ code: 'REPO_NOT_FOUND' });
    await expect(openRepository(fileStore(path), deps)).rejects.toMatchObject({ code: 'REPO_NOT_FOUND', details: { location: path } });
    await expect(openRepository(fileStore(join(path, 'file')), deps)).rejects.toMatchObject({ code: 'REPO_PATH_INVALID' });
  });

  it('I13: refuses a newer version and an encrypted repository, by name', async () => {
    const body = { blockSizeBytes: 65536 };
    const newer = encodeEnvelope('config', body).toString().replace('"version":1', '"version":2');
    const encrypted = encodeEnvelope('config', body).toString().replace('"encryption":null', '"encryption":{"kind":"aes-256-gcm"}');
    const encryptedBody = encodeEnvelope('config', { encryption: { kind: 'aes-256-gcm' } }).toString();
    for (const config of [newer, encrypted, encryptedBody]) {
      const store = memoryStore();
      await store.put('onevault.json', Buffer.from(config));
      await expect(openRepository(store, deps)).rejects.toMatchObject({ code: 'REPO_UNSUPPORTED_VERSION', details: { key: 'onevault.json' } });
    }
  });

  it('I11, I12: refuses a config that was changed in any byte, cut short, empty, huge or with unknown fields', async () => {
    const store = memoryStore();
    await newRepository(store);
    const size = (await store.get('onevault.json')).length;
    for (let byte = 0; byte < size; byte++) {
      await flipBit(store, 'onevault.json', byte, byte % 7);
      await expect(reopen(store), `byte ${byte}`).rejects.toMatchObject({ code: expect.stringMatching(/^REPO_(CONFIG_INVALID|UNSUPPORTED_VERSION)$/) });
      await flipBit(store, 'onevault.json', byte, byte % 7);
    }
    const { id, ...rest } = (await reopen(store)).config;
    for (const config of [
      encodeEnvelope('config', { ...rest, id, encryption: null, extra: 1 }),
      Buffer.alloc(0),
      Buffer.from('\n'),
      Buffer.alloc(17 * 1024 * 1024, ' '),
    ]) {
      await store.put('onevault.json', config);
      await expect(reopen(store)).rejects.toMatchObject({ code: 'REPO_CONFIG_INVALID' });
    }
  });
});

describe('restore points', () => {
  it('are listed newest last, by group if asked, with the damaged ones among them', async () => {
    const store = memoryStore();
    const repository = await newRepository(store);
    const points = [];
    for (const group of ['vm-2', 'vm-1', 'vm-2']) points.push(await backup(repository, makeDisk(1, 3), { group }));
    expect(await allPoints(repository)).toEqual(points);
    const listed = [];
    await truncateObject(store, `points/vm-1/${points[1]?.id}.json`, 300);
    for await (const item of repository.points()) listed.push(item.kind === 'point' ? item.point.id : item.error);
    expect(listed).toMatchObject([points[0]?.id, { code: 'REPO_MANIFEST_INVALID', details: { pointId: points[1]?.id } }, points[2]?.id]);
    const ofGroup = [];
    for await (const item of repository.points({ group: 'vm-2' })) ofGroup.push(item.kind);
    expect(ofGroup).toEqual(['point', 'point']);
    for await (const item of repository.points({ group: '../vm-2' })) expect.unreachable(item.kind);
  });

  it('are found by any prefix that means one of them', async () => {
    const repository = await newRepository(memoryStore());
    const first = await backup(repository, makeDisk(1, 3));
    const second = await backup(repository, makeDisk(1, 3));
    expect(await repository.point(second.id)).toEqual(second);
    expect((await repository.point(first.id.slice(0, -3))).id).toBe(first.id);
    await expect(repository.point(first.id.slice(0, 8))).rejects.toMatchObject({
      code: 'REPO_POINT_AMBIGUOUS',
      details: { candidates: [first.id, second.id] },
    });
    for (const id of ['', '1999', `${first.id}0`]) await expect(repository.point(id)).rejects.toMatchObject({ code: 'REPO_POINT_NOT_FOUND' });
    await expect(repository.openDisk(first, 'disk-9')).rejects.toMatchObject({ code: 'REPO_DISK_NOT_FOUND', details: { diskKey: 'disk-9' } });
    await expect(repository.readMetadata(first, 'none.xml')).rejects.toMatchObject({ code: 'REPO_METADATA_NOT_FOUND' });
  });

  it('are forgotten by id also when their manifest is damaged; forgetting twice says there is none', async () => {
    const store = memoryStore();
    const repository = await newRepository(store);
    const point = await backup(repository, makeDisk(1, 3));
    await flipBit(store, `points/vm-1/${point.id}.json`, -10);
    await expect(repository.point(point.id)).rejects.toMatchObject({ code: 'REPO_MANIFEST_INVALID' });
    await repository.forgetPoint(point.id);
    await expect(repository.forgetPoint(point.id)).rejects.toMatchObject({ code: 'REPO_POINT_NOT_FOUND' });
  });

  it('have their metadata checked like any data', async () => {
    const store = memoryStore();
    const point = await backup(await newRepository(store), makeDisk(1, 3));
    for (const key of await keysOf(store, 'packs/')) await truncateObject(store, key, 64 + 20);
    await expect((await reopen(store)).readMetadata(point, 'vm.xml')).rejects.toMatchObject({
      code: 'REPO_CHUNK_MISSING',
      details: { pointId: point.id, metadata: 'vm.xml' },
    });
  });

  it('are not lost from sight when the store cannot be listed: it fails instead', async () => {
    const inner = memoryStore();
    await backup(await newRepository(inner), makeDisk(1, 3));
    const repository = await reopen(faultyStore(inner, ({ kind }) => (kind === 'list' ? { when: 'before', error: new Error('unplugged') } : undefined)));
    await expect(allPoints(repository)).rejects.toThrow('unplugged');
  });
});
