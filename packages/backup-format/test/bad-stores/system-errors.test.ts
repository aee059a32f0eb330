import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { fileStore } from '../../src/index.ts';
import { type SystemCall, systemCalls } from './support/failing-system-calls.ts';
import { expectClear, expectUnharmed, Prepared, scratchDirectory, secondBackup } from './support/three-backups.ts';

vi.mock('node:fs/promises', async (importOriginal) => {
  const { failingFileSystem } = await import('./support/failing-system-calls.ts');
  return failingFileSystem(await importOriginal<typeof import('node:fs/promises')>());
});

const CHANGES = new Set(['link', 'mkdir', 'rename', 'unlink', 'handle.writev', 'handle.sync', 'handle.close']);
const TAKES_SPACE = new Set(['link', 'mkdir', 'handle.writev', 'handle.sync', 'handle.close']);

interface Trouble {
  readonly code: string;
  readonly calls: (call: SystemCall) => boolean;
  /** One call, or every one from there on. */
  readonly lasting: boolean;
  readonly when?: 'before' | 'after';
  /** In the short run of the suite every so many-th of them is tried; with ONEVAULT_LONG each. */
  readonly stride?: number;
  readonly becomes: readonly string[];
}

const TROUBLES: readonly Trouble[] = [
  { code: 'ENOSPC', calls: ({ name }) => TAKES_SPACE.has(name), lasting: true, becomes: ['REPO_NO_SPACE'] },
  { code: 'EDQUOT', calls: ({ name }) => TAKES_SPACE.has(name), lasting: false, stride: 3, becomes: ['REPO_NO_SPACE'] },
  { code: 'EROFS', calls: ({ name }) => CHANGES.has(name) && name !== 'handle.sync' && name !== 'handle.close', lasting: true, becomes: ['REPO_NOT_WRITABLE'] },
  { code: 'EIO', calls: ({ name }) => CHANGES.has(name), lasting: true, stride: 2, becomes: ['REPO_STORE_FAILED'] },
  { code: 'EIO', calls: () => true, lasting: false, stride: 7, becomes: ['REPO_STORE_FAILED'] },
  { code: 'ESTALE', calls: ({ name }) => CHANGES.has(name), lasting: false, when: 'after', stride: 2, becomes: ['REPO_STORE_FAILED'] },
  { code: 'EACCES', calls: ({ name }) => CHANGES.has(name) && !name.startsWith('handle'), lasting: true, becomes: ['REPO_NOT_WRITABLE'] },
];

describe('a file system whose calls fail', () => {
  let prepared: Prepared;
  let base: string;
  beforeAll(async () => {
    prepared = await Prepared.make();
    base = await scratchDirectory('errors');
  });
  afterEach(() => {
    systemCalls.decide = () => undefined;
  });
  afterAll(async () => {
    await prepared[Symbol.asyncDispose]();
    await rm(base, { recursive: true });
  });

  /** The `nth` of the calls that this trouble is about fails; whether the run came that far. */
  async function runWith(trouble: Trouble, nth: number): Promise<{ readonly met: boolean; readonly error: unknown }> {
    const path = join(base, 'repository');
    await prepared.copyTo(path);
    let seen = 0;
    systemCalls.decide = (call) => {
      if (!trouble.calls(call)) return undefined;
      seen += 1;
      const fails = trouble.lasting ? seen >= nth : seen === nth;
      return fails ? { when: trouble.when ?? 'before', code: trouble.code } : undefined;
    };
    const error = await secondBackup(fileStore(path));
    systemCalls.decide = () => undefined;
    await expectUnharmed(fileStore(path), error);
    return { met: seen >= nth, error };
  }

  for (const trouble of TROUBLES) {
    const { code, lasting, when = 'before', becomes } = trouble;
    const stride = process.env['ONEVAULT_LONG'] ? 1 : (trouble.stride ?? 1);
    const which = stride === 1 ? 'every n' : `n = 1, ${1 + stride}, ${1 + 2 * stride} …`;
    it(`${code} ${when === 'after' ? 'instead of an answer ' : ''}${lasting ? 'from' : 'at'} the nth call${lasting ? ' on' : ''}, for ${which}, harms nothing and is said clearly`, {
      timeout: 120_000,
    }, async () => {
      let failed = 0;
      let n = 1;
      for (; n < 400; n += stride) {
        const { met, error } = await runWith(trouble, n);
        if (!met) break;
        if (error === undefined) continue; // survived: a clean-up, or a table that counts as holding nothing
        failed += 1;
        expectClear(error, ...becomes);
      }
      expect(n).toBeLessThan(400);
      expect(failed).toBeGreaterThan(n / stride / 2);
    });
  }
});
