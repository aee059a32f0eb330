import { Crash } from '../../testing/index.ts';
import { storeWith } from './planted-bugs.ts';
import { collectGarbage, forget, oneAfterTheOther, type Program, serve } from './programs.ts';
import type { Process } from './scheduler.ts';
import type { Decorate } from './sequence.ts';
import { backupOf, disk, FIRST } from './short-runs.ts';
import { Stage } from './stage.ts';

const OTHER = disk([11, 12, 13], 500);
const HOUR_MS = 3600_000;
/** Long, but not so long that a lease is lost. */
const STOPPED_MS = 5 * 60_000;

/** What was forgotten is backed up again while it is being collected: the closest that a writer and a garbage collection can come. */
export async function playCollectionRace(seed: number, decorate?: Decorate): Promise<void> {
  const stage = await Stage.open(seed, decorate);
  const { a, random } = stage;
  const collection = collectGarbage(a, { graceMs: 0, repackBelow: random.int(2), wait: random.int(2) === 0 });
  await stage.run([backupOf(a, FIRST, false)], [backupOf(a, OTHER, false, 'vm-2')]);
  const [first = ''] = [...a.truth.points].flatMap(([id, { group }]) => (group === 'vm-1' ? [id] : []));
  await stage.run([forget(a, first, true)]);
  if (random.int(2) === 0) await stage.run([collection]);
  stage.time.advance(random.int(2) * HOUR_MS);
  const again: Program = oneAfterTheOther([backupOf(a, FIRST, false), backupOf(a, FIRST, true)]);
  const pause = random.int(3) > 0 ? { atOperation: 10 + random.int(25), ms: STOPPED_MS } : undefined;
  await stage.run([again, { pause }], [oneAfterTheOther([collection, collection])]);
  await stage.check();
  await stage.run([collection]);
  await stage.check();
}

/** What is being read for long is forgotten and collected, by as many collections as it takes to delete it. */
export async function playServedRace(seed: number, decorate?: Decorate): Promise<void> {
  const stage = await Stage.open(seed, decorate);
  const { a, random } = stage;
  await stage.run([backupOf(a, FIRST, false)], [backupOf(a, OTHER, false, 'vm-2')]);
  const [first = ''] = [...a.truth.points].flatMap(([id, { group }]) => (group === 'vm-1' ? [id] : []));
  const collection = collectGarbage(a, { graceMs: 0, repackBelow: random.int(2), wait: false });
  const between = (): Promise<void> => stage.time.clock(0).sleep(STOPPED_MS);
  await stage.run([serve(a, first, between)], [oneAfterTheOther([forget(a, first, true), collection, collection, collection])]);
  await stage.check();
  await stage.run([oneAfterTheOther([collection, collection])]);
  await stage.check();
}

/** Two back the same content up at once, and one of them dies. */
export async function playWriterRace(seed: number, decorate?: Decorate): Promise<void> {
  const stage = await Stage.open(seed, decorate);
  const { a, random } = stage;
  const crash = { atWrite: 1 + random.int(6), when: random.int(2) === 0 ? 'before' : 'after' } as const;
  await stage.run([backupOf(a, FIRST, false), { crash }], [backupOf(a, FIRST, false, 'vm-2')]);
  await stage.check();
  await stage.run([backupOf(a, FIRST, true)]);
  await stage.check();
}

/** Stops `process` where its first index table is on its way, until long after its lease is over; the table arrives, and the process dies. */
function dyingWithLateTable(process: () => string, stop: (process: Process) => void): Decorate {
  return (inner, who) => {
    if (who.name !== process()) return inner;
    return storeWith(inner, {
      create: async (key, options) => {
        const writer = await inner.create(key, options);
        if (!key.startsWith('index/')) return writer;
        const commit = async (): Promise<void> => {
          stop(who);
          await writer.commit();
          who.dead = true;
          throw new Crash(`${who.name} died`);
        };
        return { write: (parts, call) => writer.write(parts, call), commit, abort: () => writer.abort() };
      },
    });
  };
}

/** The table of a run becomes visible when its lease is over and gc has condemned, deleted and forgotten its packs, a run for each; then the same content is backed up. */
export async function playLateTable(seed: number): Promise<void> {
  const stage: Stage = await Stage.open(
    seed,
    dyingWithLateTable(
      () => 'p2',
      (process) => {
        process.pausedUntilMs = stage.time.elapsedMs + 2 * HOUR_MS;
      },
    ),
  );
  const { a, time } = stage;
  const collection = collectGarbage(a, { graceMs: 0, repackBelow: 1, wait: true });
  const later: Program = () => time.clock(0).sleep(HOUR_MS / 3);
  await stage.run([backupOf(a, OTHER, false, 'vm-2')]);
  await stage.run([backupOf(a, FIRST, false)], [oneAfterTheOther([collection, later, collection, collection, collection])]);
  await stage.run([backupOf(a, FIRST, false, 'vm-3')]);
  await stage.checkPoints();
  await stage.run([collection]);
  await stage.check();
}
