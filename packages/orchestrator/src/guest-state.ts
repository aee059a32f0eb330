import { errorCode, serializeError } from '@onevault/base';
import { isDone, isStable, type OneApi, type Vm, vmStateName } from '@onevault/one-client';
import { unlessGone } from './cloud/gone.ts';
import type { Run } from './run.ts';

/**
 * The watchdog: a protected VM must be in the state it had before we touched it (a guest that a failed freeze left suspended has cost others hours). When
 * it is in another one, somebody may have done that on purpose, so it is said, loudly and with the remedy, and never changed by us.
 */
export async function watchGuest(run: Run, cloud: OneApi, before: Vm, when: string): Promise<void> {
  try {
    const now = await unlessGone(cloud.vm(before.id));
    const verdict = now && compareStates(before, now);
    if (verdict !== undefined) run.warn(verdict.code, `${when}, ${verdict.message}`);
  } catch (error) {
    run.warn('GUEST_STATE_UNKNOWN', `${when}, VM ${before.id} could not be looked at: ${errorCode(error) ?? ''} ${serializeError(error).message}`);
  }
}

/** What to warn of, or undefined when the VM is as it was or gone. */
export function compareStates(before: Vm, now: Vm): { readonly code: string; readonly message: string } | undefined {
  if (isDone(now) || (now.state === before.state && now.lcmState === before.lcmState)) return undefined;
  const was = vmStateName(before);
  const is = vmStateName(now);
  const who = `VM ${now.id} '${now.name}' is ${is}; it was ${was} before`;
  const why = now.error !== undefined && now.error !== before.error ? ` (OpenNebula says: ${now.error})` : '';
  return isStable(now)
    ? { code: 'GUEST_STATE_CHANGED', message: `${who}${why}. If nobody did that on purpose: ${remedy(was, is, now.id)}` }
    : {
        code: 'GUEST_STATE_STUCK',
        message: `${who}${why}. If it stays so, look into /var/log/one/${now.id}.log and end the action: onevm recover --failure ${now.id}`,
      };
}

const BACK_TO: Readonly<Record<string, string>> = { POWEROFF: 'poweroff', SUSPENDED: 'suspend', STOPPED: 'stop', UNDEPLOYED: 'undeploy' };

/** The exact command (opennebula.md b.2): every state at rest leads to RUNNING by resume, and from there to the others. */
function remedy(was: string, is: string, id: number): string {
  const back = BACK_TO[was];
  if (back === undefined) return `onevm resume ${id}`;
  return is === 'RUNNING' ? `onevm ${back} ${id}` : `onevm resume ${id}, then onevm ${back} ${id}`;
}
