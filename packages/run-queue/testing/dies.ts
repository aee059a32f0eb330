import type { JsonObject, Worker } from '../src/index.ts';
import { forgetWorker } from './forget-worker.ts';
import { DONE, type QueueWorld, quickClock, StoppableClock } from './queue-world.ts';

/** Begins the run, notes something and is not heard of again; `end` lets its process go on. */
export async function dies(
  world: QueueWorld,
  id: string,
  name: string,
  { notes = { journal: [`j-${name}`] }, reach = new Set() }: { readonly notes?: JsonObject; readonly reach?: ReadonlySet<string> } = {},
): Promise<{ end(): void; said(): unknown }> {
  const clock = new StoppableClock();
  let goOn = (): void => undefined;
  const gone = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let said: unknown;
  const execute: Worker['execute'] = async (context) => {
    await context.note(notes);
    await gone;
    said = await Promise.all([context.prove(), context.note({ late: true })].map((late) => late.catch((error: unknown) => error)));
    return DONE;
  };
  world.work(execute, { name, concurrency: 1, clock, reach });
  const end = (): void => {
    clock.goOn();
    goOn();
  };
  world.atEnd(end);
  await world.until(id, (run) => run.worker === name && Object.keys(run.notes).length > 0);
  clock.stop();
  await quickClock.sleep(5000); // what it was about to say is said
  await forgetWorker(world.database, name);
  return { end, said: () => said };
}
