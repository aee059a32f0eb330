import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ran, runMain } from '../support/command-line.ts';
import { FakeFile, type FakeHandler, fakeServer } from '../support/fake-server.ts';
import { BASE, NOW, TOKEN } from '../support/remote-answers.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'onevault-remote-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const bytesOf = (text: string): string => Buffer.from(text).toString('base64url');
const entry = (name: string, type: string, more: object = {}) => ({
  name,
  nameBytes: bytesOf(name),
  type,
  sizeBytes: 12,
  modifiedAt: NOW,
  mode: 0o640,
  uid: 33,
  gid: 34,
  ...more,
});
const system = (device: string, more: object = {}) => ({ device, type: 'ext4', label: 'root', uuid: 'u-1', sizeBytes: 1024 ** 3, ...more });

const TREE: Readonly<Record<string, readonly object[]>> = {
  '/': [entry('etc', 'directory', { mode: 0o755 }), entry('null', 'other', { mode: 0o666 }), entry('bad', 'other', { mode: undefined })],
  '/etc': [entry('hosts', 'file'), entry('link', 'symlink', { target: 'a\\xffb' })],
};

const listFiles: FakeHandler = ({ query }) => {
  const path = Buffer.from(String(query['path']), 'base64url').toString();
  return { filesystems: [system('/dev/sda1'), system('/dev/sdb', { problem: 'LUKS' })], filesystem: '/dev/sda1', entries: TREE[path] ?? [], truncated: false };
};

async function files(handlers: Readonly<Record<string, FakeHandler>>, ...args: readonly string[]): Promise<Ran> {
  await using server = await fakeServer({ ...BASE, listFiles, ...handlers });
  return await runMain(['files', ...args, '--vm', '6'], { ONEVAULT_SERVER: server.url, ONEVAULT_TOKEN: TOKEN });
}

describe('files of a restore point through a server', () => {
  it('are listed as they are alone, below one another, never through a link', async () => {
    const { exit, out } = await files({}, 'ls', 'latest', '-R');
    expect({ exit, lines: out.trim().split('\n') }).toEqual({
      exit: 0,
      lines: [
        expect.stringMatching(/^drwxr-xr-x +33 +34 +12 .* \/etc$/),
        expect.stringMatching(/^-rw-r----- .* \/etc\/hosts$/),
        expect.stringMatching(/^lrw-r----- .* \/etc\/link -> a\\xffb$/),
        expect.stringMatching(/^\?rw-rw-rw- .* \/null$/),
        expect.stringMatching(/unreadable inode .*\/bad$/),
      ],
    });
    const json = JSON.parse((await files({}, 'ls', 'latest', '/etc/', '--json')).out) as Record<string, unknown>;
    expect(json).toMatchObject({ type: 'files.ls', path: '/etc', count: 2, pointId: '20261128t020000-b' });
    expect(json['entries']).toEqual([
      { path: '/etc/hosts', pathBase64: 'L2V0Yy9ob3N0cw==', type: 'file', sizeBytes: 12, mode: '0640', uid: 33, gid: 34, modified: '2026-11-28T02:00:00.000Z' },
      expect.objectContaining({ type: 'symlink', targetBase64: Buffer.from([97, 255, 98]).toString('base64') }),
    ]);
  });

  it('are of the file system that is named; several, and none named, is refused with their names', async () => {
    const several: FakeHandler = () => ({ filesystems: [system('/dev/sda1'), system('/dev/vg/data')], entries: [], truncated: false });
    expect(await files({ listFiles: several }, 'ls', 'latest')).toMatchObject({ exit: 2, err: expect.stringContaining('--fs: /dev/sda1, /dev/vg/data') });
    const table = (await files({}, 'filesystems', 'latest')).out;
    expect(table).toContain('/dev/sda1');
    expect(table).toContain('not readable: /dev/sdb: LUKS');
  });

  it('are read out whole, and a directory is an archive', async () => {
    const asked: unknown[] = [];
    const readFileHandler: FakeHandler = ({ query }) => {
      asked.push(query);
      return Buffer.from(String(query['path']), 'base64url').toString() === '/etc' ? new FakeFile('application/x-tar', 'tar-bytes') : 'hello\n';
    };
    expect(await files({ readFile: readFileHandler }, 'cat', 'latest', '/etc/hosts', '--fs', '/dev/sda1')).toMatchObject({ exit: 0, out: 'hello\n' });
    expect(asked).toEqual([{ filesystem: '/dev/sda1', path: bytesOf('/etc/hosts') }]);
    const archive = join(directory, 'etc.tar');
    expect(await files({ readFile: readFileHandler }, 'tar', 'latest', '/etc', '--output', archive)).toMatchObject({
      exit: 0,
      out: 'files action=tar result=ok archive=9\n',
    });
    expect(await readFile(archive, 'utf8')).toBe('tar-bytes');
    expect(await files({ readFile: readFileHandler }, 'tar', 'latest', '/etc', '--output', archive)).toMatchObject({
      exit: 1,
      err: expect.stringContaining('CLI_OUTPUT_FAILED'),
    });
    expect(await files({ readFile: readFileHandler }, 'cat', 'latest', '/etc')).toMatchObject({ exit: 2, err: expect.stringContaining('files tar') });
    expect(await files({ readFile: readFileHandler }, 'tar', 'latest', '/x')).toMatchObject({ exit: 2, err: expect.stringContaining('files cat') });
    expect(await files({ readFile: readFileHandler }, 'cat', 'latest', '/x', '--root')).toMatchObject({ exit: 2, err: expect.stringContaining('--root') });
  });
});
