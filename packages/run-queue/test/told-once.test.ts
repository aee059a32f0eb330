import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@onevault/base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { claim } from '../src/claim.ts';
import { HeldRun } from '../src/held-run.ts';
import { type Database, openDatabase, Runs } from '../src/index.ts';
import { runSpec } from '../testing/run-spec.ts';

/** Answers of transactions that are held back, or lost, after the database has taken them. */
type Answer = 'comes' | 'late' | 'lost';

function gate(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((open) => {
    resolve = open;
  });
  return { promise, resolve };
}

describe('an event is told once', { timeout: 60_000 }, () => {
  let directory: string;
  let database: Database;
  let vmId = 100;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'onevault-told-'));
    database = await openDatabase({ kind: 'embedded', directory }, { clock: systemClock });
  }, 60_000);
  afterAll(async () => {
    await database[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  async function held() {
    const runs = new Runs(database, () => `run-${vmId}`);
    const { run } = await runs.queue(runSpec({ vmId: vmId++ }));
    const claimed = await claim(database, { name: 'worker', reach: new Set(run.reach) });
    if (claimed === undefined) throw new Error('nothing to claim');
    const answers: Answer[] = [];
    const late = gate();
    const taken = gate();
    const db = new Proxy(database.db, {
      get(target, property) {
        if (property !== 'transaction') {
          const value: unknown = Reflect.get(target, property, target);
          return typeof value === 'function' ? value.bind(target) : value;
        }
        return () => ({
          async execute<T>(work: (trx: never) => Promise<T>): Promise<T> {
            const result = await target.transaction().execute(work as never);
            const answer = answers.shift() ?? 'comes';
            taken.resolve();
            if (answer === 'late') await late.promise;
            if (answer === 'lost') throw new Error('the connection is gone');
            return result as T;
          },
        });
      },
    });
    const holder = new HeldRun({ ...database, db } as never, systemClock, claimed, systemClock.monotonicMs());
    const steps = async () =>
      (await runs.events({ afterSeq: 0, limit: 1000, runId: run.id })).filter(({ type }) => type === 'step').map(({ data }) => data['i']);
    return { holder, answers, late, taken: taken.promise, steps };
  }

  it('by a beat whose answer comes when the run has been ended', async () => {
    const { holder, answers, late, taken, steps } = await held();
    for (let i = 0; i < 3; i++) holder.event('step', { i });
    answers.push('late');
    const beat = holder.beat();
    await taken;
    holder.event('step', { i: 3 });
    await holder.finish({ state: 'succeeded', report: {} });
    late.resolve();
    await beat.catch(() => undefined);
    expect(await steps()).toEqual([0, 1, 2, 3]);
  });

  it('by a beat whose answer is lost, and the next one', async () => {
    const { holder, answers, steps } = await held();
    for (let i = 0; i < 3; i++) holder.event('step', { i });
    answers.push('lost');
    await expect(holder.beat()).rejects.toThrow('the connection is gone');
    holder.event('step', { i: 3 });
    await holder.beat();
    holder.event('step', { i: 4 });
    await holder.finish({ state: 'succeeded', report: {} });
    expect(await steps()).toEqual([0, 1, 2, 3, 4]);
  });
});
