import { describe, expect, it, vi } from 'vitest';
import type * as CondemnedPacks from '../../src/gc/condemned.ts';
import type * as Decide from '../../src/gc/decide.ts';
import type { GcRecord } from '../../src/gc/gc-record.ts';
import { collectionBlindToWriters, dedupWithoutDurability, manifestBeforeData, packsNotLookedFor, tableBeforePack } from './planted-bugs.ts';
import { playCollectionRace, playLateTable, playServedRace, playWriterRace } from './races.ts';
import { playSequence, SequenceFailed } from './sequence.ts';
import { Violation } from './truth.ts';

vi.mock('@toondepauw/node-zstd', async (original) => (await import('./synchronous-zstd.ts')).synchronousZstd(await original()));

const bugs = vi.hoisted(() => ({ inOneStep: false, condemnedIgnored: false }));

vi.mock('../../src/gc/decide.ts', async (original) => {
  const real: typeof Decide = await original();
  const decide: typeof real.decide = (facts) => {
    const decisions = real.decide(facts);
    return bugs.inOneStep ? { ...decisions, deletable: [...decisions.deletable, ...decisions.dead], dead: [] } : decisions;
  };
  return { ...real, decide };
});

vi.mock('../../src/gc/condemned.ts', async (original) => {
  const real: typeof CondemnedPacks = await original();
  return { ...real, condemnedBy: (record: GcRecord) => (bugs.condemnedIgnored ? { has: () => false } : real.condemnedBy(record)) };
});

/** Plants a bug until it is disposed. */
function planted(bug: keyof typeof bugs): Disposable {
  bugs[bug] = true;
  return {
    [Symbol.dispose]: () => {
      bugs[bug] = false;
    },
  };
}

/** Plays from seed 1 on until a promise is broken; how many it took. */
async function untilFound(most: number, play: (seed: number) => Promise<unknown>): Promise<{ readonly count: number; readonly found: string }> {
  for (let seed = 1; seed <= most; seed++) {
    try {
      await play(seed);
    } catch (error) {
      const broken = error instanceof SequenceFailed ? error.cause : error;
      if (!(broken instanceof Violation)) throw error;
      return { count: seed, found: broken.message };
    }
  }
  return { count: most + 1, found: 'nothing' };
}

/** One protection may hide what another one is for: each plant takes away all that would catch its harm as well. */
describe('the model finds', { timeout: 180_000 }, () => {
  it('a manifest that is written before its data', async () => {
    const { count, found } = await untilFound(5, (seed) => playSequence({ seed, decorate: manifestBeforeData }));
    expect(count, found).toBeLessThanOrEqual(5);
    expect(found).toContain('does not restore');
  });

  it('an index table that is written before its packs', async () => {
    const { count, found } = await untilFound(40, (seed) => playWriterRace(seed, tableBeforePack));
    expect(count, found).toBeLessThanOrEqual(40);
    expect(found).toMatch(/does not restore|verify/);
  });

  it('a dedup hit on a chunk that is not durable yet', async () => {
    using _bug = dedupWithoutDurability();
    const { count, found } = await untilFound(20, (seed) => playSequence({ seed }));
    expect(count, found).toBeLessThanOrEqual(20);
    expect(found).toContain('does not restore');
  });

  it('a gc that does not see who writes', async () => {
    using _alone = packsNotLookedFor();
    using _bug = collectionBlindToWriters();
    const { count, found } = await untilFound(60, playCollectionRace);
    expect(count, found).toBeLessThanOrEqual(60);
  });

  it('a gc that deletes at once what it has only just found unneeded', async () => {
    using _alone = packsNotLookedFor();
    using _bug = planted('inOneStep');
    const { count, found } = await untilFound(60, playCollectionRace);
    expect(count, found).toBeLessThanOrEqual(60);
  });

  it('writers that count on what gc has condemned', async () => {
    using _alone = packsNotLookedFor();
    using _bug = planted('condemnedIgnored');
    const { count, found } = await untilFound(60, playCollectionRace);
    expect(count, found).toBeLessThanOrEqual(60);
  });

  it('a gc that does not see who reads under a lease', async () => {
    using _bug = collectionBlindToWriters();
    const { count, found } = await untilFound(20, playServedRace);
    expect(count, found).toBeLessThanOrEqual(20);
  });

  it('writers that count on a table which came late, without looking for its packs', async () => {
    using _bug = packsNotLookedFor();
    const { count, found } = await untilFound(3, playLateTable);
    expect(count, found).toBeLessThanOrEqual(3);
    expect(found).toContain('does not restore');
  });
});
