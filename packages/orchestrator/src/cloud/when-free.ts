import { type CallOptions, errorCode } from '@onevault/base';
import { isDone, isTransient, type Verdict, type Vm, type VmId, vmStateName } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import { recoverHint } from '../plan/resting-state.ts';
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
      if (deps.clock.monotonicMs() >= deadlineMs) throw busy(deps, vm, what, error);
    }
  }
}

async function free(deps: CloudDeps, vmId: VmId, what: string, deadlineMs: number, options: CallOptions): Promise<Vm> {
  let last: Vm | undefined;
  const seen = (vm: Vm): void => {
    last = vm;
  };
  try {
    return await settled(deps, vmId, what, { ...options, seen, timeoutMs: Math.max(1, deadlineMs - deps.clock.monotonicMs()) });
  } catch (error) {
    throw errorCode(error) === 'ONE_WAIT_TIMEOUT' && last !== undefined ? busy(deps, last, what, error) : error;
  }
}

export interface SettledOptions extends CallOptions {
  readonly timeoutMs?: number;
  /** A VM that is DONE is an answer like any other: for clean-up, which then has nothing left to do. */
  readonly mayBeDone?: boolean;
  /** Called with every body that is read on the way; may throw to end the wait. */
  readonly seen?: (vm: Vm) => void;
}

/** The VM once no action is under way on it. Throws JOB_VM_GONE when it is DONE. */
export async function settled(deps: CloudDeps, vmId: VmId, what: string, options: SettledOptions = {}): Promise<Vm> {
  const verdict = (now: Vm): Verdict => {
    options.seen?.(now);
    return isTransient(now) ? 'wait' : 'done';
  };
  const vm = await deps.cloud.waitForVm(vmId, verdict, {
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

function busy(deps: CloudDeps, vm: Vm, what: string, cause: unknown): JobError {
  const state = vmStateName(vm);
  const since = vm.history.at(-1)?.startTime;
  const begun = since ? `, begun ${new Date(since * 1000).toISOString()} or later` : '';
  return new JobError({
    code: 'JOB_VM_BUSY',
    message: `${what}: VM ${vm.id} '${vm.name}' is kept busy by somebody else: it is ${state}${begun}, and was waited for for ${Math.round(deps.patience.busyMs / 1000)} s`,
    details: { vmId: vm.id, state, ...(since && { sinceSeconds: since }) },
    retryable: true,
    hint: `run the backup again when it is done; ${recoverHint(vm.id, state)}`,
    cause,
  });
}
