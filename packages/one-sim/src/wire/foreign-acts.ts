import type { Cloud } from '../cloud.ts';
import type { ForeignAct } from '../control/fault-rules.ts';
import { execute } from '../methods/dispatch.ts';
import { SEED_USERS } from '../seed.ts';
import { Fault, Refusal } from './refusal.ts';

const SESSION = `${SEED_USERS.admin.name}:${SEED_USERS.admin.password}`;

/** What somebody else does at a chosen moment of a call; see the rule `foreign`. */
export async function actForeign(cloud: Cloud, act: ForeignAct): Promise<void> {
  if (act.when === 'done') await cloud.engine.idle();
  for (const { method, params } of act.calls) {
    try {
      const { afterAnswer } = await execute(cloud, { method, params: [SESSION, ...params] });
      for (const operation of afterAnswer) cloud.engine.start(operation);
    } catch (error) {
      if (!(error instanceof Refusal || error instanceof Fault)) throw error;
    }
    if (act.settle) await cloud.engine.idle();
  }
}
