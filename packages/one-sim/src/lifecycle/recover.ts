import type { Cloud } from '../cloud.ts';
import { LCM_STATE, VM_STATE } from '../model/states.ts';
import type { Operation, Vm } from '../model/world-schema.ts';
import { backupHandler } from './backup.ts';
import { deployHandler, RETRY_OF } from './deploy.ts';
import { attachHandler, detachHandler } from './hotplug.ts';
import type { OperationHandler } from './operation-handler.ts';
import { capacityHandler, resizeHandler } from './resize.ts';
import { saveasHandler } from './saveas.ts';
import { snapshotCreateHandler, snapshotDeleteHandler, snapshotRevertHandler } from './snapshot-work.ts';
import { actionHandler } from './vm-action.ts';
import { setVmState } from './vm-change.ts';

const HANDLERS: Readonly<Partial<Record<Operation['kind'], OperationHandler>>> = {
  'snapshot-create': snapshotCreateHandler,
  'snapshot-delete': snapshotDeleteHandler,
  'snapshot-revert': snapshotRevertHandler,
  saveas: saveasHandler,
  attach: attachHandler,
  detach: detachHandler,
  resize: resizeHandler,
  capacity: capacityHandler,
  backup: backupHandler,
  deploy: deployHandler,
  action: actionHandler,
};

/**
 * LifeCycleManager::recover: pretends that the driver answered yes or no; what it did, or still does, is not asked. In HOTPLUG a detachment is taken for
 * an attachment: success keeps the disk in the VM, failure takes it out. Returns false when the VM is in no state to be recovered.
 */
export function recoverVm(cloud: Cloud, vm: Vm, success: boolean): boolean {
  if (vm.state !== VM_STATE.ACTIVE) return false;
  if (vm.lcmState === LCM_STATE.UNKNOWN) {
    setVmState(vm, VM_STATE.ACTIVE, LCM_STATE.RUNNING);
    return true;
  }
  const operation = [...cloud.world.operations.values()].find((candidate) => candidate.vm === vm.id);
  if (!operation) return true; // RUNNING and the like: yes, and nothing happens
  cloud.engine.abandon(operation.id);
  if (success && (operation.kind === 'deploy' || operation.kind === 'action')) {
    const { id: _id, failure: _failure, failPhase: _phase, stuck: _stuck, ...rest } = operation;
    cloud.engine.submit(rest); // goes on from the phase it stands in
    return true;
  }
  const confused = operation.kind === 'detach' && vm.lcmState === LCM_STATE.HOTPLUG;
  const handler = confused ? attachHandler : HANDLERS[operation.kind];
  const error = vm.userTemplate['ERROR'];
  if (success) handler?.succeed(cloud, operation);
  else handler?.fail(cloud, operation, '');
  if (error === undefined) delete vm.userTemplate['ERROR'];
  else vm.userTemplate['ERROR'] = error; // no driver spoke: no message
  return true;
}

/** LifeCycleManager::retry: the phase that failed is done again. Returns false when nothing failed. */
export function retryVm(cloud: Cloud, vm: Vm): boolean {
  if (vm.state !== VM_STATE.ACTIVE) return false;
  const phase = RETRY_OF[vm.lcmState];
  if (phase !== undefined) {
    setVmState(vm, VM_STATE.ACTIVE, phase);
    cloud.engine.submit({ kind: 'deploy', vm: vm.id });
    return true;
  }
  const epilogs: readonly number[] = [LCM_STATE.EPILOG_FAILURE, LCM_STATE.EPILOG_STOP_FAILURE, LCM_STATE.EPILOG_UNDEPLOY_FAILURE];
  if (!epilogs.includes(vm.lcmState)) return false;
  cloud.engine.submit({ kind: 'action', vm: vm.id, action: 'retry-epilog', back: [vm.state, vm.lcmState] });
  return true;
}
