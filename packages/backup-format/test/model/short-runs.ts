import { BLOCK, type ModelDisk } from './model-disk.ts';
import { backup, changeKeys, collectGarbage, copy, forget, hold, type Program, repair, type Side } from './programs.ts';
import type { ProcessFate } from './scheduler.ts';
import { Stage } from './stage.ts';

/** What was there before, and the work in which a process dies. */
export interface ShortRun {
  readonly before: (stage: Stage) => Promise<void>;
  readonly work: (stage: Stage) => Program;
  /** The work writes at least this often. */
  readonly leastWrites: number;
  /** Makes sense in an encrypted repository only; everything else is played in both kinds. */
  readonly encrypted?: true;
}

export const FIRST = disk([1, 0, 2, 3, 1], 77);
const THIRD = disk([6, 4, 2, 2, 1, 5, 7], 1000);
const SECOND = disk([1, 4, 2, 0, 1, 5], 1);

export function disk(blocks: readonly number[], last: number): ModelDisk {
  return { blocks, sizeBytes: (blocks.length - 1) * BLOCK + last };
}

export function backupOf(side: Side, content: ModelDisk, incremental: boolean, group = 'vm-1'): Program {
  return backup(side, { group, disks: new Map([['disk-0', content]]), incremental, confirmDedup: false, together: false });
}

async function nothing(): Promise<void> {
  // an empty repository
}

async function twoPoints(stage: Stage): Promise<void> {
  await stage.run([backupOf(stage.a, FIRST, false)]);
  await stage.run([backupOf(stage.a, SECOND, true)]);
}

async function forgotten(stage: Stage): Promise<void> {
  await twoPoints(stage);
  await stage.run([forget(stage.a, firstPoint(stage.a), false)]);
}

/** One point is left, and what only the other one used waits to be deleted. */
async function condemned(stage: Stage): Promise<void> {
  await forgotten(stage);
  await stage.run([collectGarbage(stage.a, NO_GRACE)]);
}

const NO_GRACE = { graceMs: 0, repackBelow: 1, wait: true };

function firstPoint(side: Side): string {
  return side.truth.idsOf('committed')[0] ?? '';
}

export const SHORT_RUNS: ReadonlyMap<string, ShortRun> = new Map([
  ['a full backup', { before: nothing, work: ({ a }: Stage) => backupOf(a, FIRST, false), leastWrites: 4 }],
  ['an incremental backup', { before: twoPoints, work: ({ a }: Stage) => backupOf(a, THIRD, true), leastWrites: 3 }],
  ['forgetting', { before: twoPoints, work: ({ a }: Stage) => forget(a, firstPoint(a), false), leastWrites: 1 }],
  ['holding', { before: twoPoints, work: ({ a }: Stage) => hold(a, firstPoint(a)), leastWrites: 1 }],
  ['a garbage collection that condemns and rewrites', { before: forgotten, work: ({ a }: Stage) => collectGarbage(a, NO_GRACE), leastWrites: 4 }],
  ['a garbage collection that deletes', { before: condemned, work: ({ a }: Stage) => collectGarbage(a, NO_GRACE), leastWrites: 4 }],
  ['a change of keys', { before: twoPoints, work: ({ a }: Stage) => changeKeys(a, false), leastWrites: 1, encrypted: true }],
  ['a repair', { before: twoPoints, work: ({ a }: Stage) => repair(a), leastWrites: 1 }],
  ['a copy', { before: twoPoints, work: ({ a, b }: Stage) => copy(a, b, undefined, false), leastWrites: 8 }],
]);

/** Plays one run with a death in it, then the same work again; encrypted where the death comes after the write. False when the process had ended before it could die. */
export async function playShortRun(run: ShortRun, crash: NonNullable<ProcessFate['crash']>): Promise<boolean> {
  const stage = await Stage.open(crash.atWrite, undefined, run.encrypted ?? crash.when === 'after');
  await run.before(stage);
  const [process] = await stage.run([run.work(stage), { crash }]);
  await stage.checkPoints();
  if (stage.a.truth.idsOf('committed').length > 0) await stage.run([run.work(stage)]);
  await stage.check();
  return process?.dead ?? false;
}
