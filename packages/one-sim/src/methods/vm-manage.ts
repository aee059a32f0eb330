import { retryPending } from '../lifecycle/deploy.ts';
import { recoverVm, retryVm } from '../lifecycle/recover.ts';
import { actionOperation } from '../lifecycle/vm-action.ts';
import { setVmState } from '../lifecycle/vm-change.ts';
import { isActionAvailable, isKnownAction } from '../lifecycle/vm-courses.ts';
import { VM_STATE, vmStateText } from '../model/states.ts';
import { mergeAttributes, vectorsOf } from '../template/attributes.ts';
import { action } from '../wire/refusal.ts';
import { attributesOf, authorize, type Method, RIGHT, requireAdmin, vmOf } from './call.ts';
import { refuseRestricted } from './restricted.ts';

/** one.vm.action(string, int): answers before anything happens. */
const vmAction: Method = (call) => {
  const { cloud, params } = call;
  const verb = params.string(1);
  const vm = vmOf(call, params.int(2));
  authorize(call, vm, 'VM', RIGHT.MANAGE);
  if (!isKnownAction(verb)) throw action(`Action "${verb}" is not supported`);
  if (!isActionAvailable(verb, vm)) {
    const text = verb.startsWith('terminate')
      ? `Could not terminate VM ${vm.id}, wrong state ${vmStateText(vm)}.`
      : `This action is not available for state ${vmStateText(vm)}`;
    throw action(`Error performing action "${verb}": ${text}`);
  }
  call.afterAnswer.push(cloud.engine.record(actionOperation(vm, verb)));
  return vm.id;
};

/** USER_TEMPLATE only; append 0 replaces, 1 merges. */
const update: Method = (call) => {
  const { cloud, params } = call;
  const vm = vmOf(call, params.int(1));
  const attributes = attributesOf(params.string(2));
  authorize(call, vm, 'VM', RIGHT.MANAGE);
  refuseRestricted(call, attributes, 'Template');
  vm.userTemplate = params.int(3, 0) === 1 ? mergeAttributes(vm.userTemplate, attributes) : attributes;
  if (vm.state === VM_STATE.PENDING) retryPending(cloud);
  return vm.id;
};

const CONFIGURABLE = ['OS', 'FEATURES', 'INPUT', 'GRAPHICS', 'VIDEO', 'RAW', 'CPU_MODEL', 'CONTEXT'];

const updateConf: Method = (call) => {
  const { params } = call;
  const vm = vmOf(call, params.int(1));
  const attributes = attributesOf(params.string(2));
  const append = params.int(3, 0) === 1;
  authorize(call, vm, 'VM', RIGHT.MANAGE);
  refuseRestricted(call, attributes, 'Template');
  for (const name of CONFIGURABLE) {
    const [given] = vectorsOf(attributes, name);
    const [current] = vectorsOf(vm.template, name);
    if (given) vm.template[name] = [append || name === 'CONTEXT' ? { ...current, ...given } : given];
  }
  const backup = vectorsOf(attributes, 'BACKUP_CONFIG')[0];
  if (backup) {
    if (backup['MODE']?.toUpperCase() === 'INCREMENT' && vm.snapshots.length > 0) {
      throw action('VM cannot use backup increment mode, it has disks snapshots or disks are not qcow2.');
    }
    vm.backupConfig = { ...vm.backupConfig, ...backup };
  }
  return vm.id;
};

const RECOVER = { FAILURE: 0, SUCCESS: 1, RETRY: 2, DELETE: 3, DELETE_DB: 5 } as const;

/** one.vm.recover: 0 and 1 answer for a driver that does not, 2 does a failed phase again, 3 and 5 delete (VirtualMachineAPI::recover). */
const recover: Method = (call) => {
  const { cloud, params } = call;
  const vm = vmOf(call, params.int(1));
  const operation = params.int(2);
  authorize(call, vm, 'VM', RIGHT.ADMIN);
  if (!Object.values<number>(RECOVER).includes(operation)) throw action('Wrong recovery operation code');
  const done =
    operation === RECOVER.RETRY
      ? retryVm(cloud, vm)
      : operation === RECOVER.SUCCESS || operation === RECOVER.FAILURE
        ? recoverVm(cloud, vm, operation === RECOVER.SUCCESS)
        : vm.state !== VM_STATE.DONE;
  if (!done) throw action(`Could not perform a recover operation on VM ${vm.id}, wrong state ${vmStateText(vm)}.`);
  if (operation < RECOVER.DELETE) return vm.id;
  for (const running of [...cloud.world.operations.values()]) if (running.vm === vm.id) cloud.engine.abandon(running.id);
  call.afterAnswer.push(cloud.engine.record(actionOperation(vm, 'recover-delete')));
  return vm.id;
};

/** one.vm.deploy: places a waiting VM now. */
const deploy: Method = (call) => {
  const vm = vmOf(call, call.params.int(1));
  const hostId = call.params.int(2);
  requireAdmin(call, `ADMIN VM [${vm.id}]`);
  if (!call.cloud.world.hosts.has(hostId)) throw action(`Host ${hostId} does not exist`);
  if (vm.state !== VM_STATE.PENDING && vm.state !== VM_STATE.HOLD) throw action(`Could not deploy VM ${vm.id}, wrong state ${vmStateText(vm)}.`);
  vm.userTemplate['SCHED_REQUIREMENTS'] = [`ID="${hostId}"`];
  setVmState(vm, VM_STATE.PENDING);
  retryPending(call.cloud);
  return vm.id;
};

export const vmManageMethods: Readonly<Record<string, Method>> = {
  'one.vm.action': vmAction,
  'one.vm.update': update,
  'one.vm.updateconf': updateConf,
  'one.vm.recover': recover,
  'one.vm.deploy': deploy,
};
