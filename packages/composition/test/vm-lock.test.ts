import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock, requiresTinyFileSystem, seededRandom, TinyFileSystem, testWith } from '@onevault/base/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockVm, type VmLockDeps } from '../src/vm-lock.ts';

const ONE = new URL('http://one:2633/RPC2');
let stateDir: string;

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'onevault-lock-'));
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

/** A process by name; those in `dead` are no more. */
function process(owner: string, dead: ReadonlySet<string> = new Set()): VmLockDeps {
  const random = seededRandom([...owner].reduce((seed, char) => seed * 31 + (char.codePointAt(0) ?? 0), 7));
  return {
    stateDir,
    clock: new FakeClock({ auto: true }),
    randomBytes: (length) => random.bytes(length),
    journals: { owner, isAlive: async (other) => !dead.has(other) },
  };
}

test('one run on a VM at a time, until it is given back', async () => {
  const lock = await lockVm(process('host 1 100'), ONE, 6);
  await expect(lockVm(process('host 2 200'), ONE, 6)).rejects.toMatchObject({
    code: 'CLI_VM_IN_USE',
    retryable: true,
    details: { vmId: 6, owner: 'host 1 100' },
  });
  await lock[Symbol.asyncDispose]();
  await using _again = await lockVm(process('host 2 200'), ONE, 6);
});

test('another VM, or the same id in another cloud, is somebody else', async () => {
  await using _six = await lockVm(process('a 1 1'), ONE, 6);
  await using _seven = await lockVm(process('b 2 2'), ONE, 7);
  await using _elsewhere = await lockVm(process('c 3 3'), new URL('http://two:2633/RPC2'), 6);
});

test('what a dead process held is free, and its entry goes', async () => {
  await lockVm(process('host 1 100'), ONE, 6);
  const lock = await lockVm(process('host 2 200', new Set(['host 1 100'])), ONE, 6);
  const [directory] = await readdir(join(stateDir, 'locks'));
  expect(await readdir(join(stateDir, 'locks', directory ?? ''))).toHaveLength(1);
  await lock[Symbol.asyncDispose]();
});

test('of many that begin in the same moment never two hold it', async () => {
  let holding = 0;
  let most = 0;
  const results = await Promise.allSettled(
    Array.from({ length: 12 }, async (_, n) => {
      await using _lock = await lockVm(process(`${String.fromCodePoint(97 + n)} ${n} 1`), ONE, 6);
      most = Math.max(most, ++holding);
      await new Promise((resolve) => setImmediate(resolve));
      holding--;
    }),
  );
  expect(most).toBeLessThanOrEqual(1);
  for (const result of results) if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'CLI_VM_IN_USE' });
});

test('a state directory that cannot be made is said to be one', async () => {
  await expect(lockVm({ ...process('a 1 1'), stateDir: '/dev/null/state' }, ONE, 6)).rejects.toMatchObject({ code: 'CLI_STATE_DIR_INVALID' });
});

testWith([requiresTinyFileSystem()], 'a state directory without room is not one of somebody else, and may have room later', async () => {
  using tiny = new TinyFileSystem(8);
  await writeFile(join(tiny.path, 'ballast'), Buffer.alloc(64 * 1024)).catch(() => undefined);
  const locking = lockVm({ ...process('a 1 1'), stateDir: tiny.path }, ONE, 6);
  await expect(locking).rejects.toMatchObject({ code: 'CLI_STATE_DIR_INVALID', retryable: true, hint: expect.stringContaining('room') });
});

test('an aborted run does not wait for its turn', async () => {
  await using _held = await lockVm(process('a 1 1'), ONE, 6);
  const reason = new Error('stop');
  await expect(lockVm(process('b 2 2'), ONE, 6, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});
