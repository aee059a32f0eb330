import { startSimulator } from '../src/index.ts';
import { NO_TIME } from '../testing/test-simulator.ts';

/** A simulator of its own process: prints its endpoint and serves until it is killed. */
startSimulator({ dir: process.argv[2] ?? '', times: NO_TIME }).then(
  (sim) => process.stdout.write(`${sim.endpoint.href}\n`),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  },
);
