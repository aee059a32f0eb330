import type { CallOptions } from '@onevault/base';
import { type VmId, vmStateName } from '@onevault/one-client';
import { whenFree } from './cloud/when-free.ts';
import { standingOf } from './plan/resting-state.ts';
import { DEFAULT_PATIENCE, type JobDeps } from './ports.ts';

/**
 * Waits until nobody is at work on the VM, for at most `patience.busyMs`, and says so; then throws JOB_VM_BUSY with the state and what ends it. A VM that no
 * waiting helps is left to the plan, which refuses it with the remedy. Nothing is ever done to the VM: whoever is at work on it finishes, or does not.
 */
export async function awaitRest(deps: JobDeps, runId: string, vmId: VmId, options: CallOptions): Promise<void> {
  const vm = await deps.cloud.vm(vmId, options);
  if (standingOf(vm).kind !== 'busy') return;
  const patience = deps.patience ?? DEFAULT_PATIENCE;
  const { id, name } = vm;
  deps.emit({ time: deps.clock.now().toISOString(), runId, type: 'vm.waiting', vmId: id, vmName: name, state: vmStateName(vm), limitMs: patience.busyMs });
  await whenFree({ cloud: deps.cloud, clock: deps.clock, patience }, vmId, 'backup', async () => undefined, options);
}
