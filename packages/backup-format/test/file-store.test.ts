import { randomBytes } from 'node:crypto';
import { type FileHandle, link, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileStore, type ObjectStore } from '../src/index.ts';
import { fileIdentity, giveName, type NamelessFile } from '../src/store/file-naming.ts';
import { FileWriter } from '../src/store/file-writer.ts';
import { keysOf } from '../testing/index.ts';

const DAY_MS = 86_400_000;

let base: string;
let path: string;
let store: ObjectStore;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'onevault-file-store-'));
  path = join(base, 'repository');
  store = fileStore(path);
});
afterEach(() => rm(base, { recursive: true }));

describe('a directory that is not what it was', () => {
  const outage = { code: 'REPO_STORE_FAILED', retryable: true, hint: expect.stringContaining('mounted') };

  async function expectOutage(): Promise<void> {
    await expect(store.get('points/g/one')).rejects.toMatchObject(outage);
    await expect(store.stat('points/g/one')).rejects.toMatchObject(outage);
    await expect(keysOf(store, '')).rejects.toMatchObject(outage);
    await expect(keysOf(store, 'points/')).rejects.toMatchObject(outage);
    await expect(store.put('points/g/two', Buffer.from('2'))).rejects.toMatchObject(outage);
    await expect(store.create('packs/aa/two')).rejects.toMatchObject(outage);
    await expect(store.delete('points/g/one')).rejects.toMatchObject(outage);
    await expect(store.sweepTemporaries?.({ olderThanMs: 0 })).rejects.toMatchObject(outage);
  }

  it('is an outage while it is gone: never an empty listing, a lost object, or a new directory in its place', async () => {
    await store.put('points/g/one', Buffer.from('1'));
    await rename(path, join(base, 'away'));
    await expectOutage();
    expect(await readdir(base)).toEqual(['away']);
    await rename(join(base, 'away'), path);
    expect(await keysOf(store, '')).toEqual(['points/g/one']);
    await store.put('points/g/two', Buffer.from('2'));
  });

  it('is an outage while another directory lies in its place, as under a mount that is gone', async () => {
    await store.put('points/g/one', Buffer.from('1'));
    await rename(path, join(base, 'away'));
    await mkdir(path);
    await expectOutage();
    expect(await readdir(path)).toEqual([]);
  });

  it('is noticed by a reader that has only read before', async () => {
    await store.put('points/g/one', Buffer.from('1'));
    store = fileStore(path);
    await store.get('points/g/one');
    await rename(path, join(base, 'away'));
    await expectOutage();
  });

  it('makes the end of a listing an error, however far it had come', async () => {
    for (let n = 0; n < 4; n++) await store.put(`packs/a${n}/one`, Buffer.from('x'));
    const found: string[] = [];
    const listing = (async () => {
      for await (const { key } of store.list('packs/')) {
        found.push(key);
        if (found.length === 2) await rename(path, join(base, 'away'));
      }
    })();
    await expect(listing).rejects.toMatchObject(outage);
    expect(found).toHaveLength(2);
  });

  it('is not needed before there is one', async () => {
    expect(await keysOf(store, '')).toEqual([]);
    expect(await store.stat('onevault.json')).toBeUndefined();
    await expect(store.get('onevault.json')).rejects.toMatchObject({ code: 'REPO_OBJECT_MISSING' });
    expect(await store.put('onevault.json', Buffer.from('{}'), { ifAbsent: true })).toBe('created');
  });

  it('may lose an empty directory inside to somebody who tidies up', async () => {
    await store.put('packs/aa/one', Buffer.from('1'));
    await store.delete('packs/aa/one');
    await rm(join(path, 'packs'), { recursive: true });
    await store.put('packs/aa/two', Buffer.from('2'), { ifAbsent: true });
    expect(await keysOf(store, '')).toEqual(['packs/aa/two']);
  });
});

describe('giving a file its name over NFS', () => {
  let file: NamelessFile;
  let target: string;
  beforeEach(async () => {
    await mkdir(path);
    const temporary = join(path, '.tmp-one');
    await writeFile(temporary, 'mine');
    file = { key: 'one', temporary, identity: fileIdentity(await stat(temporary, { bigint: true })) };
    target = join(path, 'one');
  });

  it('succeeds when the server had made the link and lost the answer', async () => {
    await link(file.temporary, target);
    await giveName(file, target, 'exclusive');
    expect(await readdir(path)).toEqual(['one']);
  });

  it("does not take another's object for its own, also when our file has a second name elsewhere", async () => {
    await writeFile(target, 'their');
    await link(file.temporary, join(base, 'second'));
    await expect(giveName(file, target, 'exclusive')).rejects.toMatchObject({ code: 'REPO_OBJECT_EXISTS' });
    expect(String(await readFile(target))).toBe('their');
  });

  it('succeeds when the server had renamed and lost the answer', async () => {
    await rename(file.temporary, target);
    await giveName(file, target, 'replace');
    expect(String(await readFile(target))).toBe('mine');
  });

  it('fails when the file is gone and the name is not its own', async () => {
    await writeFile(target, 'their');
    await rm(file.temporary);
    await expect(giveName(file, target, 'replace')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(giveName(file, target, 'exclusive')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

function insteadOf(real: FileHandle, method: 'sync' | 'close', replacement: () => Promise<void>): FileHandle {
  return new Proxy(real, {
    get(target, property) {
      const value: unknown = property === method ? replacement : Reflect.get(target, property);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe('an error that the system keeps until the end', () => {
  for (const step of ['sync', 'close'] as const) {
    for (const [code, expected] of [
      ['EDQUOT', 'REPO_NO_SPACE'],
      ['EIO', 'REPO_STORE_FAILED'],
    ] as const) {
      it(`of ${step} (${code}) is reported, and nothing gets a name`, async () => {
        await mkdir(path);
        const temporary = join(path, '.tmp-one');
        const real = await open(temporary, 'wx');
        const kept = (): Promise<never> => Promise.reject(Object.assign(new Error('kept'), { code }));
        const handle = insteadOf(real, step, step === 'sync' ? kept : () => real.close().then(kept));
        let published = false;
        const writer = new FileWriter({
          key: 'one',
          handle,
          temporary,
          location: path,
          publish: async () => {
            published = true;
          },
        });
        await writer.write([Buffer.from('x')]);
        await expect(writer.commit()).rejects.toMatchObject({ code: expected, retryable: false, hint: expect.any(String) });
        await writer.abort();
        expect(published).toBe(false);
        expect(await readdir(path)).toEqual([]);
      });
    }
  }
});

describe('a sweep', () => {
  async function leave(name: string, ageMs: number): Promise<string> {
    const file = join(path, name);
    await writeFile(file, 'half');
    const time = new Date((await stat(file)).mtimeMs - ageMs);
    await utimes(file, time, time);
    return file;
  }

  beforeEach(async () => {
    await store.put('packs/aa/one', Buffer.from('1'));
    await store.put('points/g/one', Buffer.from('1'));
  });

  it('removes what nobody has written to for long enough, and nothing else', async () => {
    await leave('packs/aa/.tmp-old', 2 * DAY_MS);
    await leave('.tmp-old', 2 * DAY_MS);
    await leave('packs/aa/.tmp-young', DAY_MS / 2);
    await leave('packs/aa/.tmp-of-a-server-whose-clock-was-set-back', -DAY_MS);
    await leave('packs/aa/.nfs0000000000000001', 2 * DAY_MS);
    await leave('packs/aa/old-object', 2 * DAY_MS);
    expect(await store.sweepTemporaries?.({ olderThanMs: DAY_MS })).toEqual({ removed: 2, removedBytes: 8, kept: 2 });
    expect((await readdir(join(path, 'packs/aa'))).sort()).toEqual([
      '.nfs0000000000000001',
      '.tmp-of-a-server-whose-clock-was-set-back',
      '.tmp-young',
      'old-object',
      'one',
    ]);
    expect(await readdir(path)).toEqual(['packs', 'points']);
    expect(await keysOf(store, '')).toEqual(['packs/aa/old-object', 'packs/aa/one', 'points/g/one']);
  });

  it('takes away the second name of an object, not the object', async () => {
    await link(join(path, 'packs/aa/one'), join(path, 'packs/aa/.tmp-one-1'));
    expect(await store.sweepTemporaries?.({ olderThanMs: 0 })).toEqual({ removed: 1, removedBytes: 0, kept: 0 });
    expect(String(Buffer.from(await store.get('packs/aa/one')))).toBe('1');
  });

  it('beside writers at work leaves every committed object whole', async () => {
    const written = Promise.all(
      [...Array(20).keys()].map(async (n) => {
        try {
          await store.put(`packs/bb/${n}`, randomBytes(10_000), { ifAbsent: true });
          return `packs/bb/${n}`;
        } catch (error) {
          expect(error).toMatchObject({ code: 'REPO_STORE_FAILED' });
          return undefined;
        }
      }),
    );
    for (let n = 0; n < 5; n++) await store.sweepTemporaries?.({ olderThanMs: 0 });
    const keys = (await written).filter((key) => key !== undefined);
    expect(await keysOf(store, 'packs/bb/')).toEqual(keys.sort());
    for (const key of keys) expect(await store.get(key)).toHaveLength(10_000);
  });

  it('of a repository that does not exist does nothing', async () => {
    expect(await fileStore(join(base, 'none')).sweepTemporaries?.({ olderThanMs: 0 })).toEqual({ removed: 0, removedBytes: 0, kept: 0 });
    expect(await readdir(base)).toEqual(['repository']);
  });
});
