import type { ProxyVmView } from './attach-api.ts';
import { AttachError } from './errors.ts';

/** Numbers of OpenNebula's include/VirtualMachine.h, the few that decide whether a disk can be plugged. */
const STATE = { ACTIVE: 3, DONE: 6, POWEROFF: 8 } as const;
const LCM_RUNNING = 3;

/** The LCM states that end in _FAILURE: nothing leaves them without an administrator. */
const LCM_FAILURES = new Set([36, 37, 38, 39, 40, 41, 42, 44, 46, 47, 48, 49, 50, 61]);

/**
 * running: hot-plugging is possible. poweroff: only detaching is. gone: the VM is DONE, its attachments with it. busy: some operation is under way
 * (also UNKNOWN, which passes). unusable: none of these will come by waiting.
 */
export type ProxyPhase = 'running' | 'poweroff' | 'gone' | 'busy' | 'unusable';

export function proxyPhase(view: ProxyVmView): ProxyPhase {
  if (view.state === STATE.POWEROFF) return 'poweroff';
  if (view.state === STATE.DONE) return 'gone';
  if (view.state !== STATE.ACTIVE || LCM_FAILURES.has(view.lcmState)) return 'unusable';
  return view.lcmState === LCM_RUNNING ? 'running' : 'busy';
}

export function proxyStateError(view: ProxyVmView, attempted: string): AttachError {
  return new AttachError({
    code: 'ATTACH_PROXY_STATE',
    message: `${attempted}: the proxy VM is in STATE ${view.state}, LCM_STATE ${view.lcmState}`,
    details: { state: view.state, lcmState: view.lcmState },
    hint: 'bring the proxy VM to RUNNING and run again',
  });
}
