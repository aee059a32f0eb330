import { describe, it, vi } from 'vitest';
import { playCollectionRace, playLateTable, playServedRace, playWriterRace } from './races.ts';

vi.mock('@toondepauw/node-zstd', async (original) => (await import('./synchronous-zstd.ts')).synchronousZstd(await original()));

const RACES = process.env['ONEVAULT_LONG'] ? 2000 : 25;

/** Errors carry the seed as the number of the race. */
async function play(race: (seed: number) => Promise<void>): Promise<void> {
  for (let seed = 1; seed <= RACES; seed++) {
    try {
      await race(seed);
    } catch (error) {
      throw new Error(`race ${seed}: ${String(error)}`, { cause: error });
    }
  }
}

describe('in any order of their store operations', () => {
  it(`a backup of what is being collected and the collection leave every point whole (${RACES} races)`, () => play(playCollectionRace), 1_200_000);

  it(`what is read under a lease can be read while it is forgotten and collected (${RACES} races)`, () => play(playServedRace), 1_200_000);

  it(`a table that comes late misleads nobody (${RACES} races)`, () => play(playLateTable), 1_200_000);

  it(`a writer that dies leaves another one with the same content whole (${RACES} races)`, () => play(playWriterRace), 1_200_000);
});
