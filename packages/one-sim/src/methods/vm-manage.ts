import { setBootOrder } from '../lifecycle/boot-order.ts';
import { retryPending } from '../lifecycle/deploy.ts';
import { recoverVm, retryVm } from '../lifecycle/recover.ts';
import { actionOperation } from '../lifecycle/vm-action.ts';
import { setVmState } from '../lifecycle/vm-change.ts';
import { isActionAvailable, isKnownAction } from '../lifecycle/vm-courses.ts';
import { numberOf } from '../model/disk-vector.ts';
import { LCM_STATE, VM_STATE, vmStateText } from '../model/states.ts';
import type { Vm } from '../model/world-schema.ts';
import { QuotaRequest, whyOverQuota } from '../quotas/quota-check.ts';
import { plainObject } from '../rights/authorization.ts';
import { encryptVmAttributes } from '../rights/encryption.ts';
import { mergeAttributes, vectorsOf } from '../template/attributes.ts';
import { action, ERROR_CODE, internal, noExists, Refusal } from '../wire/refusal.ts';
import { actor, attributesOf, authorizeAll, type Call, type Method, vmNeed, vmOf } from './call.ts';
import { refuseRestricted, refuseRestrictedUpdate } from './restricted.ts';

/** one.vm.action(string, int): answers before anything happens. */
const vmAction: Method = (call) => {
  const { cloud, params } = call;
  const verb = params.string(1);
  const vm = vmOf(call, params.int(2));
  authorizeAll(call, [vmNeed(call, vm, verb)]);
  if (!isKnownAction(verb)) throw action(`Action "${verb}" is not supported`);
  if (verb === 'resume') requireRunningQuota(call, vm);
  if (!isActionAvailable(verb, vm)) {
    const text = verb.startsWith('terminate')
      ? `Could not terminate VM ${vm.id}, wrong state ${vmStateText(vm)}.`
      : `This action is not available for state ${vmStateText(vm)}`;
    throw action(`Error performing action "${verb}": ${text}`);
  }
  call.afterAnswer.push(cloud.engine.record(actionOperation(vm, verb, actor(call))));
  return vm.id;
};

/** Resuming takes up the running quotas again; here alone a quota's refusal is code 2048 (VirtualMachineAction::request_execute). */
function requireRunningQuota(call: Call, vm: Vm): void {
  const amounts = { RUNNING_VMS: 1, RUNNING_CPU: numberOf(vm, 'CPU'), RUNNING_MEMORY: numberOf(vm, 'MEMORY') };
  const refused = whyOverQuota(call.cloud.world, vm, new QuotaRequest().want('VM', '', amounts));
  if (refused !== undefined) throw action(refused);
}

/** USER_TEMPLATE only; append 0 replaces, 1 merges. */
const update: Method = (call) => {
  const { cloud, params } = call;
  const vm = vmOf(call, params.int(1));
  const text = params.string(2);
  const append = params.int(3, 0);
  authorizeAll(call, [vmNeed(call, vm, 'update')]);
  if (append < 0 || append > 1) throw new Refusal(ERROR_CODE.XML_RPC_API, 'Wrong update type');
  const attributes = attributesOf(text);
  refuseRestrictedUpdate(call, attributes, vm.userTemplate, append === 1);
  vm.userTemplate = append === 1 ? mergeAttributes(vm.userTemplate, attributes) : attributes;
  if (vm.state === VM_STATE.PENDING) retryPending(cloud);
  return vm.id;
};

const CONFIGURABLE = ['OS', 'FEATURES', 'INPUT', 'GRAPHICS', 'VIDEO', 'RAW', 'CPU_MODEL', 'CONTEXT'];

const NOT_CONFIGURABLE: ReadonlySet<number> = new Set([VM_STATE.SUSPENDED, VM_STATE.STOPPED, VM_STATE.DONE]);
const CONFIGURABLE_WHILE: ReadonlySet<number> = new Set([
  LCM_STATE.LCM_INIT,
  LCM_STATE.PROLOG,
  LCM_STATE.RUNNING,
  LCM_STATE.EPILOG,
  LCM_STATE.SHUTDOWN,
  LCM_STATE.SHUTDOWN_POWEROFF,
  LCM_STATE.CLEANUP_DELETE,
  LCM_STATE.HOTPLUG_SAVEAS_POWEROFF,
  LCM_STATE.SHUTDOWN_UNDEPLOY,
  LCM_STATE.EPILOG_UNDEPLOY,
  LCM_STATE.PROLOG_UNDEPLOY,
  LCM_STATE.HOTPLUG_PROLOG_POWEROFF,
  LCM_STATE.HOTPLUG_EPILOG_POWEROFF,
  LCM_STATE.BOOT_FAILURE,
  LCM_STATE.PROLOG_FAILURE,
  LCM_STATE.EPILOG_FAILURE,
  LCM_STATE.EPILOG_UNDEPLOY_FAILURE,
  LCM_STATE.PROLOG_MIGRATE_POWEROFF,
  LCM_STATE.PROLOG_MIGRATE_POWEROFF_FAILURE,
  LCM_STATE.BOOT_UNDEPLOY_FAILURE,
  LCM_STATE.PROLOG_UNDEPLOY_FAILURE,
  LCM_STATE.DISK_SNAPSHOT_POWEROFF,
  LCM_STATE.DISK_SNAPSHOT_REVERT_POWEROFF,
  LCM_STATE.DISK_SNAPSHOT_DELETE_POWEROFF,
]);

/** VirtualMachine::updateconf: not in every state, and the boot order is worked out anew. */
const updateConf: Method = (call) => {
  const { params } = call;
  const vm = vmOf(call, params.int(1));
  const attributes = attributesOf(params.string(2));
  const append = params.int(3, 0) === 1;
  authorizeAll(call, [vmNeed(call, vm, 'updateconf')]);
  refuseRestricted(call, attributes, 'Template');
  if (NOT_CONFIGURABLE.has(vm.state) || (vm.state === VM_STATE.ACTIVE && !CONFIGURABLE_WHILE.has(vm.lcmState)))
    throw internal(`configuration cannot be updated in state ${vmStateText(vm)}`);
  encryptVmAttributes(attributes, call.cloud.world.zoneKey);
  for (const name of CONFIGURABLE) {
    const [given] = vectorsOf(attributes, name);
    const [current] = vectorsOf(vm.template, name);
    if (given) vm.template[name] = [append || name === 'CONTEXT' ? { ...current, ...given } : given];
  }
  const wrongOrder = setBootOrder(vm);
  if (wrongOrder !== undefined) throw internal(wrongOrder);
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

/** What VM_*_OPERATIONS call it. */
const ACTION_NAME: Readonly<Record<number, string>> = { [RECOVER.RETRY]: 'retry', [RECOVER.DELETE]: 'delete', [RECOVER.DELETE_DB]: 'delete' };

/** one.vm.recover: 0 and 1 answer for a driver that does not, 2 does a failed phase again, 3 and 5 delete (VirtualMachineAPI::recover). */
const recover: Method = (call) => {
  const { cloud, params } = call;
  const vm = vmOf(call, params.int(1));
  const operation = params.int(2);
  authorizeAll(call, [vmNeed(call, vm, ACTION_NAME[operation] ?? 'recover')]);
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
  call.afterAnswer.push(cloud.engine.record(actionOperation(vm, 'recover-delete', actor(call))));
  return vm.id;
};

/** one.vm.deploy: places a waiting VM now. */
const deploy: Method = (call) => {
  const vm = vmOf(call, call.params.int(1));
  const hostId = call.params.int(2);
  const host = call.cloud.world.hosts.get(hostId);
  if (!host) throw noExists('host', hostId);
  authorizeAll(call, [vmNeed(call, vm, 'deploy'), { operation: 'MANAGE', object: plainObject('HOST', host.id, [host.clusterId]) }]);
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
