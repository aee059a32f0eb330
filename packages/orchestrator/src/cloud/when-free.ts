import { type CallOptions, errorCode } from '@onevault/base';
import { isTransient, type Vm, type VmId, vmStateName } from '@onevault/one-client';
import { JobError } from '../errors.ts';
import type { CloudDeps } from './cloud-deps.ts';

/**
 * OpenNebula does one thing at a time with a VM. Waits until nobody works on it, then acts; when somebody else was faster, waits again, for at most
 * `patience.busyMs` in all. The call itself is not abortable: an answer that is not awaited would leave an object nobody knows of.
 */
export async function whenFree<T>(deps: CloudDeps, vmId: VmId, what: string, act: (vm: Vm) => Promise<T>, options: CallOptions = {}): Promise<T> {
  const deadlineMs = deps.clock.monotonicMs() + deps.patience.busyMs;
  for (;;) {
    const vm = await settled(deps, vmId, what, { ...options, timeoutMs: Math.max(1, deadlineMs - deps.clock.monotonicMs()) });
    options.signal?.throwIfAborted();
    try {
      return await act(vm);
    } catch (error) {
      if (!(await somebodyWasFaster(deps, vmId, error))) throw error;
      if (deps.clock.monotonicMs() >= deadlineMs) throw busy(vm, what, error);
    }
  }
}

/** The VM once no action is under way on it. Throws JOB_VM_GONE when it is DONE. */
export async function settled(deps: CloudDeps, vmId: VmId, what: string, options: CallOptions & { readonly timeoutMs?: number } = {}): Promise<Vm> {
  const vm = await deps.cloud.waitForVm(vmId, (now) => (isTransient(now) ? 'wait' : 'done'), {
    timeoutMs: options.timeoutMs ?? deps.patience.actionMs,
    what: `VM ${vmId} to be free (${what})`,
    ...(options.signal && { signal: options.signal }),
  });
  if (vmStateName(vm) === 'DONE') {
    throw new JobError({ code: 'JOB_VM_GONE', message: `${what}: VM ${vmId} '${vm.name}' was terminated meanwhile`, details: { vmId } });
  }
  return vm;
}

/** "Wrong state" (2048; 8192 for disksaveas) is the normal answer of a VM that somebody grabbed between our look and our call. */
async function somebodyWasFaster(deps: CloudDeps, vmId: VmId, error: unknown): Promise<boolean> {
  const code = errorCode(error);
  if (code !== 'ONE_ACTION' && code !== 'ONE_INTERNAL') return false;
  return isTransient(await deps.cloud.vm(vmId));
}

function busy(vm: Vm, what: string, cause: unknown): JobError {
  return new JobError({
    code: 'JOB_VM_BUSY',
    message: `${what}: VM ${vm.id} '${vm.name}' is kept busy by somebody else`,
    details: { vmId: vm.id },
    retryable: true,
    hint: 'see what else works on this VM (its log names the action) and start the run again',
    cause,
  });
}
