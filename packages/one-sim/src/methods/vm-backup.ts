import { copyHistory, setVmState } from '../lifecycle/vm-change.ts';
import { ACTION, DATASTORE_TYPE, LCM_STATE, VM_STATE, vmStateText } from '../model/states.ts';
import type { Vm } from '../model/world-schema.ts';
import { action, internal } from '../wire/refusal.ts';
import { actor, authorizeAll, datastoreOf, type Method, onDatastore, vmNeed, vmOf } from './call.ts';

function backupState(vm: Vm): number | undefined {
  if (vm.state === VM_STATE.ACTIVE) return vm.lcmState === LCM_STATE.RUNNING ? LCM_STATE.BACKUP : undefined;
  return vm.state === VM_STATE.POWEROFF ? LCM_STATE.BACKUP_POWEROFF : undefined;
}

/** one.vm.backup(vm, datastore, reset?): a native backup, for what it does to everybody else (VirtualMachineAPI::backup, DispatchManager::backup). */
const backup: Method = (call) => {
  const { cloud, params } = call;
  const vm = vmOf(call, params.int(1));
  const datastoreId = params.int(2);
  const datastore = datastoreOf(call, datastoreId);
  authorizeAll(call, [vmNeed(call, vm, 'backup'), { operation: 'USE', object: onDatastore(datastore) }]);
  if (datastore.type !== DATASTORE_TYPE.BACKUP) throw action('Datastore needs to be of type BACKUP');
  const transient = backupState(vm);
  if (transient === undefined) throw internal(`Could not create a new backup for VM ${vm.id}, wrong state ${vmStateText(vm)}.`);
  const back: [number, number] = [vm.state, vm.lcmState];
  copyHistory(cloud, vm, ACTION.BACKUP, actor(call));
  setVmState(vm, VM_STATE.ACTIVE, transient);
  cloud.engine.submit({ kind: 'backup', vm: vm.id, datastore: datastoreId, back });
  return vm.id;
};

export const vmBackupMethods: Readonly<Record<string, Method>> = { 'one.vm.backup': backup };
