import { describe, expect, it, vi } from 'vitest';
import { playSequence } from './sequence.ts';

vi.mock('@toondepauw/node-zstd', async (original) => (await import('./synchronous-zstd.ts')).synchronousZstd(await original()));

/** ONEVAULT_MODEL_SEED plays one sequence again; ONEVAULT_LONG=1 plays 2 000, ONEVAULT_MODEL_RUNS any number. */
const only = process.env['ONEVAULT_MODEL_SEED'];
const runs = Number(process.env['ONEVAULT_MODEL_RUNS'] ?? (process.env['ONEVAULT_LONG'] ? 2000 : 120));
const firstSeed = only === undefined ? Date.now() % 1_000_000_000 : Number(only);

describe('random sequences of everything that can be done to a repository, by several processes that crash, stall and have wrong clocks', () => {
  it(`keep every committed point restorable byte for byte (${runs} from seed ${firstSeed})`, async () => {
    const started = performance.now();
    let operations = 0;
    for (let run = 0; run < (only === undefined ? runs : 1); run++) operations += (await playSequence({ seed: firstSeed + run })).operations;
    const seconds = (performance.now() - started) / 1000;
    if (runs >= 1000) process.stdout.write(`model: ${runs} sequences from seed ${firstSeed}, ${operations} store operations, ${seconds.toFixed(1)} s\n`);
  }, 3_600_000);

  it('are the same when they are played again', async () => {
    const [one, other] = [await playSequence({ seed: firstSeed }), await playSequence({ seed: firstSeed })];
    expect(other.trace).toEqual(one.trace);
  });
});
