import { createHash } from 'node:crypto';
import type { Database } from './database/open-database.ts';

/** A worker that is silent for so long is dead to the engine, s. */
export const HEARTBEAT_SECONDS = 30;
/** How often a dead worker's job may come again: the run counts its own attempts, which is what limits them. */
const ENGINE_RETRIES = 1000;
/** The most that the engine allows. A run that takes longer keeps its claim by its own heartbeat. */
const EXPIRE_SECONDS = 24 * 3600;

/** Jobs that the same workers can do wait in one lane: those that need to reach the same things. */
export function laneOf(reach: readonly string[]): string {
  const sorted = [...new Set(reach)].sort();
  const name = ['runs', ...sorted].join('.');
  return name.length <= 50 ? name : `runs.${createHash('sha256').update(name).digest('hex').slice(0, 40)}`;
}

/** Makes the lane, once; making it again changes nothing. */
export async function ensureLane({ db, boss }: Database, reach: readonly string[]): Promise<string> {
  const name = laneOf(reach);
  const known = await db.selectFrom('onevault.run_lane').select('name').where('name', '=', name).executeTakeFirst();
  if (known !== undefined) return name;
  await boss.createQueue(name, { heartbeatSeconds: HEARTBEAT_SECONDS, expireInSeconds: EXPIRE_SECONDS, retryLimit: ENGINE_RETRIES, retryDelay: 1 });
  await db
    .insertInto('onevault.run_lane')
    .values({ name, reach: JSON.stringify([...new Set(reach)].sort()) })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  return name;
}

/** Lanes of which a worker that reaches these things can do every job. */
export async function lanesWithin({ db }: Database, reach: ReadonlySet<string>): Promise<string[]> {
  const lanes = await db.selectFrom('onevault.run_lane').selectAll().orderBy('name').execute();
  return lanes.filter((lane) => lane.reach.every((needed) => reach.has(needed))).map(({ name }) => name);
}
