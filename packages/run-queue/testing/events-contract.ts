import { silentLogger } from '@onevault/base';
import { expect, it } from 'vitest';
import { type RunEvent, RunFeed } from '../src/index.ts';
import { DONE, type QueueWorld, quickClock } from './queue-world.ts';
import { runSpec } from './run-spec.ts';

/** What those see who watch runs, whichever process writes. */
export function eventsContract(the: () => QueueWorld): void {
  it('tell all that happens to whoever reads on behind the last number, in one order and without a gap', async () => {
    const { runs, ...world } = parts(the());
    const before = await runs.lastSeq();
    const ids = await Promise.all(Array.from({ length: 6 }, async () => (await runs.queue(runSpec({ vmId: world.nextVm() }))).run.id));
    for (let worker = 0; worker < 3; worker++)
      world.work(async ({ event }) => {
        for (let i = 0; i < 40; i++) {
          event('step', { i });
          if (i % 10 === 0) await quickClock.sleep(1000);
        }
        return DONE;
      });
    const read: RunEvent[] = [];
    const ended = () => read.filter(({ type }) => type === 'run.ended').length;
    while (ended() < ids.length) {
      read.push(...(await runs.events({ afterSeq: read.at(-1)?.seq ?? before, limit: 50 })));
      await quickClock.sleep(100); // the embedded database answers without leaving the others a turn
    }
    expect(read).toEqual(await runs.events({ afterSeq: before, limit: 1000 }));
    for (const id of ids) {
      const steps = read.filter(({ runId, type }) => runId === id && type === 'step').map(({ data }) => data['i']);
      expect(steps).toEqual(Array.from({ length: 40 }, (_, i) => i));
    }
  });

  it('can be watched: one of them or all, from now or from where one left, slow readers like fast ones', async () => {
    const { runs, ...world } = parts(the());
    const feed = new RunFeed({ runs, clock: quickClock, logger: silentLogger });
    const stop = new AbortController();
    const first = await runs.queue(runSpec({ vmId: world.nextVm() }));
    const from = await runs.lastSeq();
    const all = collect(feed.watch({ afterSeq: from, signal: stop.signal }), (events) => events.filter(({ type }) => type === 'run.ended').length === 2);
    const second = await runs.queue(runSpec({ vmId: world.nextVm() }));
    const one = collect(feed.watch({ afterSeq: 0, runId: second.run.id, signal: stop.signal }), (events) => events.at(-1)?.type === 'run.ended');
    const slow = feed.watch({ afterSeq: 0, runId: second.run.id, signal: stop.signal });
    expect((await slow.next()).value).toMatchObject({ type: 'run.queued' });
    world.work(async ({ event }) => {
      for (let i = 0; i < 900; i++) event('much', { i });
      return DONE;
    });
    expect((await one).map(({ type }) => type).filter((type) => type !== 'much')).toEqual(['run.queued', 'run.taken', 'run.ended']);
    expect((await one).filter(({ type }) => type === 'much')).toHaveLength(900);
    expect(await all).toEqual(await runs.events({ afterSeq: from, limit: 5000 }));
    expect(await collect(slow, (events) => events.at(-1)?.type === 'run.ended')).toHaveLength(902);
    expect((await world.ended(first.run.id)).state).toBe('succeeded');
    const quiet = feed.watch({ signal: stop.signal }).next();
    stop.abort();
    expect(await quiet).toEqual({ value: undefined, done: true });
  });

  it('say what PostgreSQL has no characters for in other words, and the run ends: not a byte of what a program prints holds it up', async () => {
    const { runs, ...world } = parts(the());
    const half = '\u{1F600}'.slice(1);
    const { run } = await runs.queue(runSpec({ vmId: world.nextVm(), request: { repository: `ma\0in${half}` } }));
    world.work(async ({ event, note, progress }) => {
      event('command.finished', { output: `a\0b ${half} c \\u0000`, [`k\0`]: 1 });
      progress({ text: `\0${half}` });
      await note({ journal: [`j\0${half}`] });
      return { state: 'failed', failure: { message: `d\0${half}` }, retry: false };
    });
    expect(await world.ended(run.id)).toMatchObject({
      state: 'failed',
      request: { repository: 'ma\u{FFFD}in\u{FFFD}' },
      notes: { journal: ['j\u{FFFD}\u{FFFD}'] },
      progress: { text: '\u{FFFD}\u{FFFD}' },
      failure: { message: 'd\u{FFFD}\u{FFFD}' },
    });
    const [, , said] = await runs.events({ runId: run.id, afterSeq: 0, limit: 10 });
    expect(said).toMatchObject({ type: 'command.finished', data: { output: 'a\u{FFFD}b \u{FFFD} c \\u0000', 'k\u{FFFD}': 1 } });
  });

  it('drop what is more than an attempt may say, and say how much', async () => {
    const { runs, ...world } = parts(the());
    const { run } = await runs.queue(runSpec({ vmId: world.nextVm() }));
    world.work(async ({ event }) => {
      for (let i = 0; i < 1500; i++) event('much', { i });
      return DONE;
    });
    await world.ended(run.id);
    const events = await runs.events({ runId: run.id, afterSeq: 0, limit: 5000 });
    expect(events.filter(({ type }) => type === 'much')).toHaveLength(1000);
    expect(events.at(-2)).toMatchObject({ type: 'run.events-lost', data: { count: 500 } });
  });
}

async function collect(watched: AsyncIterable<RunEvent>, isEnough: (events: readonly RunEvent[]) => boolean): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of watched) {
    events.push(event);
    if (isEnough(events)) break;
  }
  return events;
}

function parts(world: QueueWorld) {
  return { runs: world.runs, nextVm: () => world.nextVm(), work: world.work.bind(world), ended: world.ended.bind(world) };
}
