import { describe, expect, it, vi } from 'vitest';
import { dedupWithoutDurability, manifestBeforeData, tableBeforePack } from './planted-bugs.ts';
import { type Decorate, playSequence, SequenceFailed } from './sequence.ts';

vi.mock('@toondepauw/node-zstd', async (original) => (await import('./synchronous-zstd.ts')).synchronousZstd(await original()));

/** Plays sequences until one breaks a promise; how many it took. */
async function sequencesUntilFound(most: number, decorate?: Decorate): Promise<{ readonly count: number; readonly found: string }> {
  for (let seed = 1; seed <= most; seed++) {
    try {
      await playSequence({ seed, ...(decorate && { decorate }) });
    } catch (error) {
      if (!(error instanceof SequenceFailed)) throw error;
      return { count: seed, found: String(error.cause) };
    }
  }
  return { count: most + 1, found: 'nothing' };
}

describe('the model finds', () => {
  it('a manifest that is written before its data', async () => {
    const { count, found } = await sequencesUntilFound(5, manifestBeforeData);
    expect(count, found).toBeLessThanOrEqual(5);
    expect(found).toContain('does not restore');
  });

  it('an index table that is written before its packs', async () => {
    const { count, found } = await sequencesUntilFound(40, tableBeforePack);
    expect(count, found).toBeLessThanOrEqual(40);
    expect(found).toMatch(/does not restore|verify/);
  });

  it('a dedup hit on a chunk that is not durable yet', async () => {
    using _bug = dedupWithoutDurability();
    const { count, found } = await sequencesUntilFound(20);
    expect(count, found).toBeLessThanOrEqual(20);
    expect(found).toContain('does not restore');
  });
});
