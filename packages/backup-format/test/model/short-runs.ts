import { seededRandom } from '@onevault/base/testing';
import { createRepository, memoryStore, openRepository, type Repository } from '../../src/index.ts';
import { BLOCK, type ModelDisk } from './model-disk.ts';
import { ModelTime } from './model-time.ts';
import { backup, copy, forget, hold, type Program, runProgram, type Side } from './programs.ts';
import { ScheduledStore } from './scheduled-store.ts';
import { Process, type ProcessFate, Scheduler } from './scheduler.ts';
import { Truth } from './truth.ts';

interface Stage {
  readonly a: Side;
  readonly b: Side;
  /** Runs one process to its end. */
  run(program: Program, fate?: ProcessFate): Promise<Process>;
}

/** What was there before, and the work in which a process dies. */
export interface ShortRun {
  readonly before: (stage: Stage) => Promise<void>;
  readonly work: (stage: Stage) => Program;
  /** The work writes at least this often. */
  readonly leastWrites: number;
}

const FIRST = disk([1, 0, 2, 3, 1], 77);
const THIRD = disk([6, 4, 2, 2, 1, 5, 7], 1000);
const SECOND = disk([1, 4, 2, 0, 1, 5], 1);

function disk(blocks: readonly number[], last: number): ModelDisk {
  return { blocks, sizeBytes: (blocks.length - 1) * BLOCK + last };
}

function backupOf(side: Side, content: ModelDisk, incremental: boolean): Program {
  return backup(side, { group: 'vm-1', disks: new Map([['disk-0', content]]), incremental, confirmDedup: false, together: false });
}

async function nothing(): Promise<void> {
  // an empty repository
}

async function twoPoints(stage: Stage): Promise<void> {
  await stage.run(backupOf(stage.a, FIRST, false));
  await stage.run(backupOf(stage.a, SECOND, true));
}

function firstPoint(side: Side): string {
  return side.truth.idsOf('committed')[0] ?? '';
}

export const SHORT_RUNS: ReadonlyMap<string, ShortRun> = new Map([
  ['a full backup', { before: nothing, work: ({ a }: Stage) => backupOf(a, FIRST, false), leastWrites: 4 }],
  ['an incremental backup', { before: twoPoints, work: ({ a }: Stage) => backupOf(a, THIRD, true), leastWrites: 3 }],
  ['forgetting', { before: twoPoints, work: ({ a }: Stage) => forget(a, firstPoint(a), false), leastWrites: 1 }],
  ['holding', { before: twoPoints, work: ({ a }: Stage) => hold(a, firstPoint(a)), leastWrites: 1 }],
  ['a copy', { before: twoPoints, work: ({ a, b }: Stage) => copy(a, b, undefined, false), leastWrites: 8 }],
]);

/** Plays one run with a death in it, then the same work again. False when the process had ended before it could die. */
export async function playShortRun(run: ShortRun, crash: NonNullable<ProcessFate['crash']>): Promise<boolean> {
  const random = seededRandom(crash.atWrite);
  const time = new ModelTime();
  const scheduler = new Scheduler(random, time);
  let processes = 0;
  const runProcess = async (program: Program, fate: ProcessFate = {}): Promise<Process> => {
    const process = new Process(`p${++processes}`, fate);
    const open = (side: Side): Promise<Repository> =>
      openRepository(new ScheduledStore(side.store, scheduler, process, () => random.next()), {
        clock: time.clock(0),
        randomBytes: (length) => random.bytes(length),
      });
    const work = runProgram({ process, open }, program);
    work.catch(() => undefined);
    await scheduler.run([work]);
    await work;
    return process;
  };
  const newSide = async (name: string): Promise<Side> => {
    const store = memoryStore(name);
    const clock = time.clock(0);
    await createRepository(store, { blockSizeBytes: BLOCK }, { clock, randomBytes: (length) => random.bytes(length) });
    return { name, store, truth: new Truth(store, clock) };
  };
  const stage: Stage = { a: await newSide('A'), b: await newSide('B'), run: runProcess };
  const sides = [stage.a, stage.b];
  await run.before(stage);
  const died = (await runProcess(run.work(stage), { crash })).dead;
  for (const { truth } of sides) await truth.checkAll();
  if (stage.a.truth.idsOf('committed').length > 0) await runProcess(run.work(stage));
  for (const { truth } of sides) {
    await truth.checkAll();
    await truth.checkVerify();
  }
  return died;
}
