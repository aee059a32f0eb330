import type { CallOptions } from '@onevault/base';
import type { Vm } from '@onevault/one-client';
import { type StopChoice, stopVm } from './cloud/power-state.ts';
import { lastSeq } from './cloud/vm-past.ts';
import type { Owned, Run } from './run.ts';

/** Stops a RUNNING VM for the run. Journalled before the call, so that whatever happens from here on the VM comes back. */
export function stopForRun(run: Run, vm: Vm, choice: StopChoice, options: CallOptions): Promise<Owned> {
  return run.step('stop-vm', { object: `VM ${vm.id}` }, () =>
    run.create({ kind: 'power', vmId: vm.id, was: 'RUNNING', seq: lastSeq(vm) }, async (send) => {
      const down = await stopVm(run.cloud, vm.id, choice, send, options);
      return down.id;
    }),
  );
}
