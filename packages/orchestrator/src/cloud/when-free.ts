import { type CallOptions, errorCode } from '@onevault/base';
import { isDone, isTransient, type Vm, type VmId, vmStateName } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import type { CloudDeps } from './cloud-deps.ts';

/**
 * OpenNebula does one thing at a time with a VM. Waits until nobody works on it, then acts; when somebody else was faster, waits again, for at most
 * `patience.busyMs` in all. The call itself is not abortable: an answer that is not awaited would leave an object nobody knows of.
 */
export async function whenFree<T>(deps: CloudDeps, vmId: VmId, what: string, act: (vm: Vm) => Promise<T>, options: CallOptions = {}): Promise<T> {
  const deadlineMs = deps.clock.monotonicMs() + deps.patience.busyMs;
  for (;;) {
    const vm = await free(deps, vmId, what, deadlineMs, options);
    options.signal?.throwIfAborted();
    try {
      return await act(vm);
    } catch (error) {
      if (!(await somebodyWasFaster(deps, vmId, what, error))) throw error;
      if (deps.clock.monotonicMs() >= deadlineMs) throw busy(vmId, what, error);
    }
  }
}

async function free(deps: CloudDeps, vmId: VmId, what: string, deadlineMs: number, options: CallOptions): Promise<Vm> {
  try {
    return await settled(deps, vmId, what, { ...options, timeoutMs: Math.max(1, deadlineMs - deps.clock.monotonicMs()) });
  } catch (error) {
    throw errorCode(error) === 'ONE_WAIT_TIMEOUT' ? busy(vmId, what, error) : error;
  }
}

export interface SettledOptions extends CallOptions {
  readonly timeoutMs?: number;
  /** A VM that is DONE is an answer like any other: for clean-up, which then has nothing left to do. */
  readonly mayBeDone?: boolean;
}

/** The VM once no action is under way on it. Throws JOB_VM_GONE when it is DONE. */
export async function settled(deps: CloudDeps, vmId: VmId, what: string, options: SettledOptions = {}): Promise<Vm> {
  const vm = await deps.cloud.waitForVm(vmId, (now) => (isTransient(now) ? 'wait' : 'done'), {
    timeoutMs: options.timeoutMs ?? deps.patience.actionMs,
    what: `VM ${vmId} to be free (${what})`,
    ...(options.signal && { signal: options.signal }),
  });
  if (isDone(vm) && options.mayBeDone !== true) throw gone(vm, what);
  return vm;
}

/** "Wrong state" (2048; 8192 for disksaveas) is the normal answer of a VM that somebody grabbed between our look and our call, and may have let go since. */
async function somebodyWasFaster(deps: CloudDeps, vmId: VmId, what: string, refusal: unknown): Promise<boolean> {
  const code = errorCode(refusal);
  if (code !== 'ONE_ACTION' && code !== 'ONE_INTERNAL') return false;
  const now = await deps.cloud.vm(vmId).catch(() => undefined); // the refusal is the news, not that we could not look into it
  if (now === undefined) return false;
  if (isDone(now)) throw gone(now, what, refusal);
  const refusedIn = /wrong state (\w+)/.exec(refusal instanceof Error ? refusal.message : '')?.[1];
  return isTransient(now) || (refusedIn !== undefined && refusedIn !== vmStateName(now));
}

function gone(vm: Vm, what: string, cause?: unknown): JobError {
  return new JobError({
    code: 'JOB_VM_GONE',
    message: `${what}: VM ${vm.id} '${vm.name}' was terminated meanwhile`,
    details: { vmId: vm.id },
    hint: 'somebody ended the VM while it was worked on; its earlier restore points are whole',
    ...(cause !== undefined && { cause }),
  });
}

function busy(vmId: VmId, what: string, cause: unknown): JobError {
  return new JobError({
    code: 'JOB_VM_BUSY',
    message: `${what}: VM ${vmId} is kept busy by somebody else`,
    details: { vmId },
    retryable: true,
    hint: 'see what else works on this VM (its log names the action) and start the run again',
    cause,
  });
}
