import { symlinkSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileStore, openRepository } from '@onevault/backup-format';
import { type Clock, silentLogger } from '@onevault/base';
import { vmId } from '@onevault/one-client';
import { groupOf } from '@onevault/orchestrator';
import { type RunContext, serveRuns } from '@onevault/run-queue';
import { forgetWorker } from '@onevault/run-queue/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanUpAfter } from '../../src/work/clean-up.ts';
import { executeRun } from '../../src/work/execute-run.ts';
import { GRACE_MS } from '../../src/work/server-worker.ts';
import { hurriedClock, makeWorkWorld, type WorkWorld } from '../../testing/work-world.ts';

/** All of them when there is time: each is a run, its clean-up and another run. */
const EVERY = process.env['ONEVAULT_LONG'] === '1' ? 1 : 7;

let world: WorkWorld;
beforeAll(async () => {
  world = await makeWorkWorld({ disks: [{ sizeMiB: 1 }, { sizeMiB: 1 }] });
  await using _worker = await world.worker('first');
  expect(await world.do({ kind: 'backup', vmId: world.vm, repository: 'main', mode: 'auto' })).toMatchObject({ state: 'succeeded' });
}, 180_000);
afterAll(() => world[Symbol.asyncDispose](), 60_000);

/**
 * Settings of another machine: its own state directory, and another name for the proxy VM's root, after which the lock of hot-plugs is called. What the kernel takes back
 * when a process ends, a worker that only plays dead in this one would keep.
 */
function elsewhere(name: string): WorkWorld['place']['settings'] {
  const { settings } = world.place;
  const proxyRoot = `${settings.stateDir}-${name}-proxy`;
  symlinkSync(settings.proxyRoot, proxyRoot);
  return { ...settings, stateDir: `${settings.stateDir}-${name}`, proxyRoot };
}

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** A worker on another machine that is gone when it has noted something: nothing of it moves any more. Answers once it has died, or was done before. */
function mortal(name: string, dies: (count: number, noted: string) => boolean): { readonly gone: Promise<'died' | 'done'> } {
  let dead = false;
  const clock: Clock = {
    ...hurriedClock,
    now: hurriedClock.now,
    monotonicMs: hurriedClock.monotonicMs,
    sleep: async (ms, call) => {
      await hurriedClock.sleep(ms, call);
      if (dead) await never();
    },
  };
  const place = {
    ...world.place,
    settings: elsewhere(name),
    clock,
    inNobodysCare: async <T>(all: T) => all,
  };
  let tell: (how: 'died' | 'done') => void = () => undefined;
  const gone = new Promise<'died' | 'done'>((resolve) => {
    tell = resolve;
  });
  const stop = new AbortController();
  const execute = async (context: RunContext) => {
    let notes = 0;
    const note: RunContext['note'] = async (noted) => {
      await context.note(noted);
      if (!dies(++notes, JSON.stringify(noted))) return;
      dead = true;
      tell('died');
      await never();
    };
    const outcome = await executeRun(place, { ...context, note }, world.queue);
    tell('done');
    stop.abort();
    return outcome;
  };
  const worker = { name, concurrency: 1, reach: new Set(['proxy', 'datastore-1', 'datastore-100']), cleanUp: async () => undefined, execute };
  void serveRuns({ database: world.database, clock, logger: silentLogger }, worker, { signal: stop.signal });
  return { gone };
}

/** Node 20 has no Promise.withResolvers. */
function gate(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

type Moment = number | 'proven';

/**
 * A worker on another machine that stands still once it has noted something, or proven that the run is its own, until it is told to go on: it was cut off, and does not
 * know it. `standing`: how much it had noted.
 */
function stalled(name: string, at: Moment | undefined): { readonly standing: Promise<number>; readonly goOn: () => Promise<unknown> } {
  const place = {
    ...world.place,
    settings: elsewhere(name),
    clock: hurriedClock,
    inNobodysCare: async <T>(all: T) => all,
  };
  let stand: (count: number) => void = () => undefined;
  let release: () => void = () => undefined;
  const standing = new Promise<number>((resolve) => {
    stand = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const stop = new AbortController();
  let work: Promise<unknown> = Promise.resolve();
  const execute = async (context: RunContext) => {
    let notes = 0;
    const standStill = async (moment: Moment): Promise<void> => {
      if (moment !== at || stop.signal.aborted) return;
      stop.abort();
      stand(notes);
      await released;
    };
    const note: RunContext['note'] = async (noted) => {
      if (stop.signal.aborted) return; // it cannot reach the queue any more
      await context.note(noted);
      await standStill(++notes);
    };
    const prove: RunContext['prove'] = async () => {
      await context.prove();
      await standStill('proven');
    };
    // Nobody has told it to stop.
    const doing = executeRun(place, { ...context, note, prove, signal: new AbortController().signal }, world.queue);
    work = doing.catch((error: unknown) => error);
    const outcome = await doing;
    stop.abort();
    stand(notes);
    return outcome;
  };
  const worker = { name, concurrency: 1, reach: new Set(['proxy', 'datastore-1', 'datastore-100']), cleanUp: async () => undefined, execute };
  void serveRuns({ database: world.database, clock: hurriedClock, logger: silentLogger }, worker, { signal: stop.signal });
  return {
    standing,
    goOn: () => {
      release();
      return work;
    },
  };
}

/** Until another worker has the run: a beat that was under way may still have come after the death. */
async function taken(id: string, from: string): Promise<void> {
  for (;;) {
    await forgetWorker(world.database, from);
    await hurriedClock.sleep(500);
    if ((await world.queue.get(id)).worker !== from) return;
  }
}

async function pointCount(): Promise<number> {
  await world.look();
  return world.points().length;
}

describe('a worker that dies', { timeout: 120_000 }, () => {
  it('in the middle of a backup, at any moment: another one takes back what it left and does it, once', async () => {
    let moments = 0;
    for (let moment = 1; ; moment += EVERY) {
      const before = await pointCount();
      const name = `mortal-${moment}`;
      const id = await world.start({ kind: 'backup', vmId: world.vm, repository: 'main', mode: 'full' });
      const { gone } = mortal(name, (count) => count === moment);
      const how = await gone;
      if (how === 'done') {
        expect(await world.ended(id)).toMatchObject({ state: 'succeeded', attempt: 1 });
        break;
      }
      moments++;
      const heir = await world.worker(`heir-${moment}`);
      await taken(id, name);
      expect(await world.ended(id), `moment ${moment}`).toMatchObject({ state: 'succeeded', attempt: 2, worker: `heir-${moment}` });
      await heir[Symbol.asyncDispose]();
      expect(await pointCount(), `moment ${moment}`).toBe(before + 1);
      expect(await world.leftovers(), `moment ${moment}`).toEqual([]);
    }
    expect(moments).toBeGreaterThan(1);
  });

  it('not at all, but is cut off before it commits: what it writes later is no second restore point', async () => {
    const whole = stalled('whole', undefined);
    await world.ended(await world.start({ kind: 'backup', vmId: world.vm, repository: 'main', mode: 'full' }));
    const notes = await whole.standing;
    // The first one is before it holds a lease of the repository, which its heir could end.
    for (const moment of [1, notes - 1, notes, 'proven'] as const) {
      const before = await pointCount();
      const id = await world.start({ kind: 'backup', vmId: world.vm, repository: 'main', mode: 'full' });
      const { standing, goOn } = stalled(`stalled-${moment}`, moment);
      await standing;
      const heir = await world.worker(`stalled-heir-${moment}`);
      await taken(id, `stalled-${moment}`);
      expect(await world.ended(id), `note ${moment} of ${notes}`).toMatchObject({ state: 'succeeded' });
      await goOn();
      await heir[Symbol.asyncDispose]();
      expect(await pointCount(), `note ${moment} of ${notes}`).toBe(before + 1);
    }
  });

  it('between its manifest and its last look at its lease: the manifest does not count, and is gone when the worker is back', async () => {
    const group = groupOf(await world.cloud.vm(vmId(world.vm)));
    const runId = '20261128T000000Z-0123456789';
    const reached = gate();
    const released = gate();
    let written = false;
    const store = new Proxy(fileStore(world.repositoryPath), {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        if (name !== 'put' && name !== 'stat') return member.bind(target);
        return async (key: string, ...rest: unknown[]) => {
          if (name === 'stat' && written && key.startsWith('leases/')) {
            reached.resolve();
            await released.promise;
          }
          const answer: unknown = await member.call(target, key, ...rest);
          written ||= name === 'put' && key.startsWith('points/');
          return answer;
        };
      },
    });
    const before = await pointCount();
    await using repository = await openRepository(store, { clock: hurriedClock });
    const writer = await repository.begin({ group, runId, capturedAt: '2026-11-28T00:00:00.000Z', mode: 'full' });
    const committing = writer.commit({ annotations: { vm: { id: world.vm, name: 'web' } } });
    await reached.promise;
    const id = await world.start({ kind: 'backup', vmId: world.vm, repository: 'main', mode: 'full' });
    const dead = { ...(await world.queue.get(id)), worker: 'slow', notes: { journals: [{ runId, records: [], finished: true }] } };
    expect(await pointCount()).toBe(before + 1);
    await expect(cleanUpAfter({ ...world.place, inNobodysCare: async (all) => all }, dead, {})).resolves.toBeUndefined();
    expect(await pointCount()).toBe(before);
    released.resolve();
    await expect(committing).rejects.toMatchObject({ code: 'REPO_LOCK_LOST' });
    await writer[Symbol.asyncDispose]();
    expect(await pointCount()).toBe(before);
    await world.runs.cancel(id);
  });

  it('in a restore in place: the VM is as it was, and whoever asked decides whether it is done again', async () => {
    await world.look();
    const point = { repository: 'main', pointId: world.points().at(-1)?.id ?? '' };
    const images = async (): Promise<unknown> => (await world.cloud.vm(world.vm as never)).disks.map(({ target, imageId }) => ({ target, imageId }));
    const before = await images();
    for (const moment of [6, 12]) {
      const id = await world.start({ kind: 'restore-in-place', ...point, keepUndo: '7d', delta: false });
      expect(await mortal(`swapping-${moment}`, (count) => count === moment).gone).toBe('died');
      const heir = await world.worker(`swap-heir-${moment}`);
      await taken(id, `swapping-${moment}`);
      expect(await world.ended(id)).toMatchObject({ state: 'failed', failure: { code: 'SERVER_WORKER_LOST' } });
      await heir[Symbol.asyncDispose]();
      expect(await images()).toEqual(before);
      expect((await world.simulator.sim.control.state()).vms.find(({ id: vm }) => vm === world.vm)?.stateText).toBe('RUNNING');
      expect(await world.leftovers()).toEqual([]);
    }
  });

  it('after its restore was whole: it is not made twice, and becomes the one’s who asked', async () => {
    await world.look();
    const owner = await world.simulator.sim.control.createUser({ name: 'bob', password: 'secret', group: 'bobs' });
    await world.simulator.must('one.vm.chown', world.vm, owner.userId, owner.groupId);
    const pointId = world.points().at(-1)?.id ?? '';
    const id = await world.start({ kind: 'restore', repository: 'main', pointId, name: 'once', method: 'auto', hold: false }, { owner });
    expect(await mortal('restoring', (_, noted) => noted.includes('"kept"')).gone).toBe('died');
    const heir = await world.worker('restore-heir');
    await taken(id, 'restoring');
    expect(await world.ended(id)).toMatchObject({ state: 'succeeded', worker: 'restore-heir', report: { told: [{ code: 'WORKER_LOST' }] } });
    const { vms } = await world.simulator.sim.control.state();
    const restored = vms.filter(({ name, stateText }) => name === 'once' && stateText !== 'DONE');
    expect(restored).toHaveLength(1);
    const { uid, gid, disks } = await world.cloud.vm(vmId(restored[0]?.id ?? -1));
    expect({ userId: uid, groupId: gid }).toEqual(owner);
    const images = disks.flatMap(({ imageId }) => imageId ?? []);
    expect(images).toHaveLength(2);
    for (const image of images) expect(await world.cloud.image(image)).toMatchObject({ uid: owner.userId, gid: owner.groupId });
    await world.simulator.must('one.vm.chown', world.vm, 0, 0);
    await heir[Symbol.asyncDispose](); // the next test's runs are not for it
  });

  it('not at all, but is told to end and cannot end its run in order: it lets it go, in time', async () => {
    world.setPolicies({
      kind: 'backup',
      name: 'slow',
      repository: 'main',
      timezone: 'UTC',
      select: { include: ['name=*'] },
      schedules: [{ at: '22:00' }],
      commands: { before: { command: ['sleep', '60'] }, after: { command: ['sleep', '5'] } },
    });
    const grace = gate();
    const clock: Clock = { ...hurriedClock, sleep: (ms, options) => (ms === GRACE_MS ? grace.promise : hurriedClock.sleep(ms, options)) };
    const worker = await world.worker('busy', { clock });
    const id = await world.start({ kind: 'backup', vmId: world.vm, repository: 'main', mode: 'auto', policy: 'slow' });
    const begun = (count: number) => async () =>
      (await world.queue.events({ runId: id, afterSeq: 0, limit: 100 })).filter(({ type }) => type === 'command.started').length === count;
    await expect.poll(begun(1), { timeout: 20_000 }).toBe(true);
    const ending = worker[Symbol.asyncDispose]();
    await expect.poll(begun(2), { timeout: 20_000 }).toBe(true);
    grace.resolve();
    await ending;
    expect(await world.queue.get(id)).toMatchObject({ state: 'running', worker: 'busy' });
    await world.runs.cancel(id);
    expect(await world.ended(id)).toMatchObject({ state: 'cancelled' });
  });

  it('and starts again before anybody has its run: it forgets the journal once another one has cleaned up', async () => {
    const id = await world.start({ kind: 'backup', vmId: world.vm, repository: 'main', mode: 'full' });
    expect(await mortal('reborn', (count) => count === 4).gone).toBe('died');
    // Its machine as it is after the death of the process, which a test cannot show of its own: no lock is held, and the journal's owner is not alive.
    const settings = elsewhere('reborn-again');
    const [was, is] = [`${world.place.settings.stateDir}-reborn`, settings.stateDir].map((stateDir) => join(stateDir, 'journals')) as [string, string];
    const journals = async (): Promise<readonly string[]> => (await readdir(is)).filter((name) => name.endsWith('.jsonl'));
    await mkdir(is, { recursive: true });
    for (const name of (await readdir(was)).filter((file) => file.endsWith('.jsonl')))
      await writeFile(join(is, name), (await readFile(join(was, name), 'utf8')).replace(/("owner":"\S+ \d+) \d+/, '$1 1'));
    await world.worker('reborn-again', { settings });
    expect(await journals()).toHaveLength(1);
    await world.worker('reborn-heir');
    await taken(id, 'reborn');
    const done = await world.ended(id);
    expect(done.failure).toBeUndefined();
    expect(done).toMatchObject({ state: 'succeeded', attempt: 2 });
    await expect.poll(journals, { timeout: 20_000 }).toEqual([]);
  });
});
