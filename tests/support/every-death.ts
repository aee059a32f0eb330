import { fileJournals, type JobDeps, type RecoverReport, recoverRuns } from '@onevault/orchestrator';
import { expect } from 'vitest';
import { Processes } from './crash-matrix.ts';
import { Mortal } from './mortal.ts';
import type { World } from './world.ts';

export interface Death {
  /** `killed after append intent`, for messages. */
  readonly where: string;
  readonly report: RecoverReport;
  /** Records of the journal when it died. */
  readonly records: readonly { readonly type: string }[];
}

/** Every nth of the moments, from one on: drivers that take turns see them all together. */
export interface Share {
  readonly every: number;
  readonly from: number;
}

/** Runs `act` to its end once, then kills it at every moment that is different for the cloud or the journal, each time recovering with fresh dependencies. */
export async function everyDeath(
  world: World,
  prepare: () => Promise<unknown>,
  act: (deps: JobDeps) => Promise<unknown>,
  check: (death: Death) => Promise<void>,
  { every, from }: Share = { every: 1, from: 0 },
): Promise<number> {
  const processes = new Processes();
  const live = async (mortal: Mortal): Promise<unknown> => {
    const identity = processes.start();
    const journals = mortal.journals(fileJournals({ directory: world.journalPath, identity }));
    const end = await act(world.deps({ cloud: mortal.cloud(world.cloud), journals })).then(
      () => undefined,
      (error: unknown) => error,
    );
    processes.end(identity);
    await world.sim.control.idle();
    return end;
  };
  const recover = async (): Promise<RecoverReport> => {
    const identity = processes.start();
    const report = await recoverRuns(world.deps({ journals: fileJournals({ directory: world.journalPath, identity }) }));
    processes.end(identity);
    await world.sim.control.idle();
    return report;
  };
  await prepare();
  const counted = new Mortal();
  expect(await live(counted), 'the run that nobody kills').toBeUndefined();
  const progress = counted.moments.map((moment) => moment.progress);
  const chosen = [...new Set(progress)].map((figures) => progress.indexOf(figures)).filter((_, at) => at % every === from);
  for (const at of chosen) {
    await prepare();
    const mortal = new Mortal(at);
    const end = await live(mortal);
    if (mortal.died === undefined) expect.fail(`moment ${at} never came; the run ended with ${String(end)}`);
    const where = `killed ${mortal.died.name} (moment ${at}; ${mortal.died.progress})`;
    const report = await recover();
    expect(
      report.runs.filter(({ outcome }) => outcome !== 'recovered'),
      where,
    ).toEqual([]);
    expect(await world.unfinishedRuns(), where).toEqual([]);
    await check({ where, report, records: mortal.records });
  }
  return chosen.length;
}
