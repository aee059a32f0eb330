import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, silentLogger } from '@onevault/base';
import { FakeClock } from '@onevault/base/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRepository, fileStore, memoryStore, type ObjectStore, openRepository, RepositoryError } from '../../src/index.ts';
import { BLOCK } from '../support/small-vm.ts';
import { backUp, NOW, noiseDisk } from './garbage.ts';

const DAY_MS = 24 * 3600_000;

describe('what interrupted writers left', () => {
  let path: string;
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'onevault-leftovers-'));
  });
  afterEach(() => rm(path, { recursive: true }));

  async function leave(name: string, ageMs: number): Promise<void> {
    const file = join(path, name);
    await writeFile(file, 'half');
    const time = new Date((await stat(file)).mtimeMs - ageMs);
    await utimes(file, time, time);
  }

  it('is removed by a garbage collection when nobody touched it for a day, and never by a dry run', async () => {
    await using repository = await createRepository(fileStore(path), { blockSizeBytes: BLOCK }, { clock: new FakeClock() });
    await backUp(repository, noiseDisk([1, 2]));
    await leave('packs/.tmp-old', DAY_MS + 60_000);
    await leave('packs/.tmp-young', DAY_MS - 60_000);
    expect(await repository.collectGarbage({ ...NOW, dryRun: true })).toMatchObject({ leftovers: { files: 0 } });
    expect(await repository.collectGarbage(NOW)).toMatchObject({ leftovers: { files: 1, bytes: 4 } });
    expect((await readdir(join(path, 'packs'))).filter((name) => name.startsWith('.'))).toEqual(['.tmp-young']);
  });

  it('that cannot be removed is logged, and the collection is done all the same', async () => {
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_, message) => void warnings.push(message) };
    const store: ObjectStore = Object.assign(memoryStore(), {
      sweepTemporaries: () => Promise.reject(new RepositoryError({ code: 'REPO_ACCESS_DENIED', message: 'may not list uploads' })),
    });
    await using created = await createRepository(store, { blockSizeBytes: BLOCK }, { clock: new FakeClock() });
    await backUp(created, noiseDisk([1]));
    await using repository = await openRepository(store, { clock: new FakeClock(), logger });
    expect(await repository.collectGarbage(NOW)).toMatchObject({ points: 1, leftovers: { files: 0 } });
    expect(warnings).toContain('what interrupted writers left could not be removed');
  });
});
