import type { Readable } from 'node:stream';
import { Semaphore, silentLogger } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import type { EntryFacts, GuestEntry, GuestFiles } from '@onevault/guest-files';
import { describe, expect, it } from 'vitest';
import { FileSessions, type PointName } from '../../src/live/files/file-sessions.ts';
import { listFiles, placeOf } from '../../src/live/files/list-files.ts';
import { readFile } from '../../src/live/files/read-file.ts';
import type { LiveAccess } from '../../src/live/live-access.ts';

const entry = (name: string, facts: Partial<EntryFacts> | undefined): GuestEntry => ({
  path: Buffer.from(`/${name}`, 'latin1'),
  name: Buffer.from(name, 'latin1'),
  facts: facts && { type: 'file', sizeBytes: 1, mode: 0o644, uid: 0, gid: 0, modifiedMs: 0, inode: 1, links: 1, target: undefined, ...facts },
});

/** A guest with two directories' worth of oddities; streams wait for `go`. */
function guest(log: string[]): GuestFiles {
  const system = (device: string) => ({
    device,
    type: 'ext4',
    sizeBytes: 10,
    disk: 0,
    label: undefined,
    uuid: undefined,
    usedBytes: undefined,
    problem: undefined,
  });
  return {
    fileSystems: async () => [system('/dev/sda1'), { ...system('/dev/sda2'), type: 'crypto_LUKS', problem: 'encrypted' }],
    operatingSystems: async () => [],
    useFileSystem: async (device) => void log.push(`use ${device}`),
    useSystem: async () => [],
    stat: async (path) => entry(path.toString().slice(1), { type: path.toString().endsWith('dir') ? 'directory' : 'file' }),
    list: async () => [entry('caf\xe9\x1b', { modifiedMs: 8.7e15 }), entry('lost', undefined), entry('ln', { type: 'symlink', target: Buffer.from('../x') })],
    walk: () => {
      throw new Error('not here');
    },
    async *read() {
      log.push('read');
      yield Buffer.from('half');
      yield Buffer.from('whole');
    },
    async *tar() {
      yield Buffer.from('tar');
      return { entries: 1, bytes: 1, refused: [], refusedCount: 0 };
    },
    extract: () => Promise.reject(new Error('not here')),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function sessions() {
  const log: string[] = [];
  const clock = new FakeClock();
  const open = async ({ pointId }: PointName) => {
    log.push(`open ${pointId}`);
    const files = guest(log);
    return {
      files,
      turn: new Semaphore(1),
      fileSystems: () => files.fileSystems(),
      [Symbol.asyncDispose]: async () => void log.push(`close ${pointId}`),
    };
  };
  // What opens it is ours: nothing is asked of the repositories.
  const access = undefined as unknown as LiveAccess;
  return { log, clock, all: new FileSessions({ access, clock, logger: silentLogger, environment: {}, open }) };
}

const point = (pointId: string): PointName => ({ repository: 'main', pointId });

async function textOf(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('files of restore points', () => {
  it('are listed with names as bytes and as text, whatever a guest calls them', async () => {
    const { all } = sessions();
    await using held = await all.use(point('p'), {});
    const listing = await listFiles(held.value, placeOf({ path: '' }), 2);
    expect(listing.filesystem).toBe('/dev/sda1');
    expect(listing.filesystems[1]).toMatchObject({ device: '/dev/sda2', problem: 'encrypted' });
    expect(listing.truncated).toBe(true);
    expect(listing.entries).toEqual([
      { name: 'caf\\xe9\\x1b', nameBytes: Buffer.from('caf\xe9\x1b', 'latin1').toString('base64url'), type: 'file', sizeBytes: 1, mode: 0o644, uid: 0, gid: 0 },
      { name: 'lost', nameBytes: 'bG9zdA', type: 'other', sizeBytes: 0 },
    ]);
  });

  it('come as a file or as an archive, and the session serves the next one', async () => {
    const { all, log } = sessions();
    const place = placeOf({ filesystem: '/dev/sda1', path: Buffer.from('/etc/hosts').toString('base64url') });
    const file = await readFile(await all.useAlone(point('p'), {}), place, silentLogger, {});
    expect(file).toMatchObject({ contentType: 'application/octet-stream', filename: 'etc/hosts' });
    expect(await textOf(file.body)).toBe('halfwhole');
    const archive = await readFile(await all.useAlone(point('p'), {}), { ...place, path: Buffer.from('/a/dir') }, silentLogger, {});
    expect(archive).toMatchObject({ contentType: 'application/x-tar', filename: 'a/dir.tar' });
    expect(await textOf(archive.body)).toBe('tar');
    expect(log.filter((line) => line.startsWith('open'))).toEqual(['open p']);
  });

  it('are read in another micro-VM while one streams, and one that was left half-way is over', async () => {
    const { all, log } = sessions();
    const left = await readFile(await all.useAlone(point('p'), {}), placeOf({ path: '' }), silentLogger, {});
    await (await all.use(point('p'), {}))[Symbol.asyncDispose]();
    expect(log.filter((line) => line.startsWith('open'))).toHaveLength(2);
    const closed = new Promise((resolve) => left.body.once('close', resolve));
    left.body.destroy();
    await closed;
    await new Promise(setImmediate);
    expect(log.filter((line) => line.startsWith('close'))).toEqual(['close p']);
  });

  it('that nobody has begun to read are given back all the same', async () => {
    const { all, log } = sessions();
    const gone = new AbortController();
    const answer = await readFile(await all.useAlone(point('p'), {}), placeOf({ path: '' }), silentLogger, { signal: gone.signal });
    const closed = new Promise((resolve) => answer.body.once('close', resolve));
    gone.abort();
    await closed;
    await new Promise(setImmediate);
    expect(log.at(-1)).toBe('close p');
  });

  it('are read of two restore points at once; one that nobody uses makes room, and the third waits', async () => {
    const { all, log, clock } = sessions();
    const one = await all.use(point('a'), {});
    await (await all.use(point('b'), {}))[Symbol.asyncDispose]();
    const third = await all.use(point('c'), {});
    expect(log).toEqual(['open a', 'open b', 'close b', 'open c']);
    await expect(all.use(point('d'), {})).rejects.toMatchObject({ code: 'SERVER_BUSY' });
    await one[Symbol.asyncDispose]();
    await third[Symbol.asyncDispose]();
    clock.advance(3 * 60_000);
    await new Promise(setImmediate);
    expect(log.slice(-2).sort()).toEqual(['close a', 'close c']);
  });

  it('leave nothing open when the server ends', async () => {
    const { all, log } = sessions();
    await (await all.use(point('a'), {}))[Symbol.asyncDispose]();
    await all[Symbol.asyncDispose]();
    expect(log.at(-1)).toBe('close a');
  });
});
