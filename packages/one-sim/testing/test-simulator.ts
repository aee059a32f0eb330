import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OperationTimes, type Simulator, type SimulatorOptions, startSimulator } from '../src/index.ts';
import { type RawAnswer, rawClient } from './raw-client.ts';

/** Everything as soon as the event loop turns. */
export const NO_TIME: OperationTimes = {
  snapshot: 0,
  snapshotDelete: 0,
  revert: 0,
  saveas: 0,
  saveasReady: 0,
  attach: 0,
  detach: 0,
  resize: 0,
  allocate: 0,
  delete: 0,
  clone: 0,
  schedule: 0,
  deploy: 0,
  boot: 0,
  suspend: 0,
  resume: 0,
  poweroff: 0,
  stop: 0,
  terminate: 0,
  epilog: 0,
  react: 0,
  perGiBCopied: 0,
};

export interface TestSimulator extends AsyncDisposable {
  readonly sim: Simulator;
  /** As oneadmin. */
  readonly call: (method: string, ...params: (string | number | boolean)[]) => Promise<RawAnswer>;
  /** As above, and throws unless oned says yes. Returns the value. */
  readonly must: (method: string, ...params: (string | number | boolean)[]) => Promise<string>;
}

/** A simulator in a fresh directory below the temporary one, instantaneous unless told otherwise; disposing it removes the directory. */
export async function startTestSimulator(options: Partial<SimulatorOptions> = {}): Promise<TestSimulator> {
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'onevault-sim-')));
  const sim = await startSimulator({ times: NO_TIME, durable: false, ...options, dir });
  const call = rawClient(sim.endpoint, `${sim.user}:${sim.password}`);
  return {
    sim,
    call,
    async must(method, ...params) {
      const answer = await call(method, ...params);
      if (!answer.ok) throw new Error(`${method}: ${answer.value}`);
      return answer.value;
    },
    async [Symbol.asyncDispose]() {
      await sim.stop();
      if (options.dir === undefined) await rm(dir, { recursive: true, force: true });
    },
  };
}
