import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { OPERATIONS, type OperationId } from '@onevault/api';
import { createRepository, fileStore, openRepository } from '@onevault/backup-format';
import { silentLogger, systemClock } from '@onevault/base';
import { openBlockDevice, scan } from '@onevault/block-cbt';
import { createLiveHandlers, type FileAnswer, type Handler, type LiveDeps, type LiveHandlers } from '@onevault/server';
import { callOf } from '@onevault/server/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith, requiresApplianceKernel, requiresCommand } from '../support/requires.ts';

/** KVM may be there and hang (nested); emulation works everywhere. */
const EMULATED = { LIBGUESTFS_BACKEND: 'direct', LIBGUESTFS_BACKEND_SETTINGS: 'force_tcg' };
const PATIENCE_MS = 300_000;
const needs = [
  requiresCommand('mkfs.ext4', 'apt-get install e2fsprogs'),
  requiresCommand('guestfish', 'apt-get install guestfish qemu-utils'),
  requiresApplianceKernel(),
];

describeWith(needs, 'files of a restore point through the API', () => {
  let directory: string;
  let pointId: string;
  let live: LiveHandlers;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'onevault-live-files-'));
    pointId = await backUp();
    live = createLiveHandlers(depsOf());
  }, PATIENCE_MS);
  afterAll(async () => {
    await live?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  }, PATIENCE_MS);

  /** A disk that is one file system, as a restore point. */
  async function backUp(): Promise<string> {
    const tree = join(directory, 'tree');
    mkdirSync(join(tree, 'etc'), { recursive: true });
    writeFileSync(join(tree, 'etc', 'hostname'), 'web\n');
    writeFileSync(join(tree, 'big'), Buffer.alloc(8 * 2 ** 20, 'onevault'));
    const image = join(directory, 'disk.img');
    execFileSync('mkfs.ext4', ['-q', '-L', 'root', '-d', tree, image, '32M'], { stdio: 'ignore' });
    await using repository = await createRepository(fileStore(join(directory, 'repository')), {}, { clock: systemClock });
    await using writer = await repository.begin({ group: 'one-1-vm-7', runId: 'run-1', capturedAt: '2026-11-27T19:00:00Z', mode: 'full' });
    await using device = await openBlockDevice(image);
    const runs = scan(device, { blockSizeBytes: repository.config.blockSizeBytes, digest: repository.digest });
    await writer.writeDisk({ key: 'disk-0', sizeBytes: device.sizeBytes, annotations: { diskId: 0, target: 'vda' } }, runs);
    return (await writer.commit({ annotations: { vm: { id: 7, name: 'web' } } })).id;
  }

  /** Files need the repository alone. */
  function depsOf(): LiveDeps {
    const repositories = [{ name: 'main', place: '/', secretFile: undefined }];
    return {
      settings: { current: () => ({ repositories }) },
      openRepository: (_name: string, options: object) => openRepository(fileStore(join(directory, 'repository')), { clock: systemClock }, options),
      clock: systemClock,
      logger: silentLogger,
      environment: { PATH: process.env['PATH'], ...EMULATED },
    } as unknown as LiveDeps;
  }

  const path = (text: string): string => Buffer.from(text).toString('base64url');

  function ask(id: OperationId, query: object, signal = new AbortController().signal): Promise<unknown> {
    const operation = OPERATIONS.find((one) => one.id === id);
    const parsed = operation?.query?.parse(query) ?? {};
    return (live.handlers[id] as Handler)(callOf({ params: { repository: 'main', pointId }, query: parsed, signal })) as Promise<unknown>;
  }

  async function bytesOf({ body }: FileAnswer): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of body as Readable) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  it(
    'are listed, read and archived in one micro-VM, which a download that is broken off ends',
    async () => {
      expect(await ask('listFiles', {})).toMatchObject({
        filesystems: [{ device: '/dev/sda', type: 'ext4', label: 'root' }],
        filesystem: '/dev/sda',
        entries: [{ name: 'big', type: 'file', sizeBytes: 8 * 2 ** 20 }, { name: 'etc', type: 'directory' }, { name: 'lost+found' }],
        truncated: false,
      });
      expect(await ask('listFiles', { filesystem: '/dev/sda', path: path('/etc'), limit: 5 })).toMatchObject({ entries: [{ name: 'hostname' }] });
      const hostname = (await ask('readFile', { filesystem: '/dev/sda', path: path('/etc/hostname') })) as FileAnswer;
      expect(hostname).toMatchObject({ contentType: 'application/octet-stream', filename: 'hostname' });
      expect((await bytesOf(hostname)).toString()).toBe('web\n');
      const archive = (await ask('readFile', { path: path('/etc') })) as FileAnswer;
      expect(archive).toMatchObject({ contentType: 'application/x-tar', filename: 'etc.tar' });
      expect((await bytesOf(archive)).includes('web\n')).toBe(true);
      await expect(ask('readFile', { path: path('/etc/nothing') })).rejects.toMatchObject({ code: 'FILES_PATH_NOT_FOUND' });
      await expect(ask('listFiles', { filesystem: '/dev/sdz' })).rejects.toMatchObject({ code: 'FILES_FILE_SYSTEM_UNKNOWN' });
      const gone = new AbortController();
      const left = (await ask('readFile', { path: path('/big') }, gone.signal)) as FileAnswer;
      const closed = new Promise((resolve) => (left.body as Readable).once('close', resolve));
      for await (const _ of left.body as Readable) break;
      gone.abort();
      await closed;
    },
    PATIENCE_MS,
  );
});
