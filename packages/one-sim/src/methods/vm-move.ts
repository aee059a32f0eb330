import { actionOperation } from '../lifecycle/vm-action.ts';
import { copyHistory, setVmState } from '../lifecycle/vm-change.ts';
import { isActionAvailable } from '../lifecycle/vm-courses.ts';
import { ACTION, LCM_STATE, VM_STATE, vmStateText } from '../model/states.ts';
import { plainObject } from '../rights/authorization.ts';
import { setText, textOf } from '../template/attributes.ts';
import { action, noExists } from '../wire/refusal.ts';
import { actor, attributesOf, authorizeAll, type Method, vmNeed, vmOf } from './call.ts';

/** one.vm.migrate(vm, host, live, enforce?, datastore?, type?): here between hosts only (VirtualMachineAPI::migrate). */
const migrate: Method = (call) => {
  const { cloud, params } = call;
  const vm = vmOf(call, params.int(1));
  const hostId = params.int(2);
  const live = params.boolean(3, false);
  const host = cloud.world.hosts.get(hostId);
  if (!host) throw noExists('host', hostId);
  authorizeAll(call, [vmNeed(call, vm, 'migrate'), { operation: 'MANAGE', object: plainObject('HOST', host.id, [host.clusterId]) }]);
  const verb = live ? 'live-migrate' : 'migrate';
  if (!isActionAvailable(verb, vm)) throw action(`Migrate action is not available for state ${vmStateText(vm)}`);
  const last = vm.history.at(-1);
  if (last?.hostId === hostId) throw action(`VM is already running on host [${hostId}] and datastore [${last.datastoreId}]`);
  call.afterAnswer.push(cloud.engine.record({ ...actionOperation(vm, verb, actor(call)), host: hostId }));
  return vm.id;
};

const RESTING: readonly number[] = [VM_STATE.POWEROFF, VM_STATE.UNDEPLOYED];

/** one.vm.resize(vm, template, enforce?): capacity of a VM that is off at once; of a running one in HOTPLUG_RESIZE. */
const resize: Method = (call) => {
  const { cloud, params } = call;
  const vm = vmOf(call, params.int(1));
  const wanted = attributesOf(params.string(2));
  authorizeAll(call, [vmNeed(call, vm, 'resize')]);
  const running = vm.state === VM_STATE.ACTIVE && vm.lcmState === LCM_STATE.RUNNING;
  if (!running && !RESTING.includes(vm.state)) throw action(`Resize is not available for state ${vmStateText(vm)}`);
  for (const name of ['CPU', 'MEMORY', 'VCPU']) {
    const value = textOf(wanted, name);
    if (value !== undefined) setText(vm.template, name, value);
  }
  if (!running) return vm.id;
  const back: [number, number] = [vm.state, vm.lcmState];
  copyHistory(cloud, vm, ACTION.RESIZE, actor(call));
  setVmState(vm, VM_STATE.ACTIVE, LCM_STATE.HOTPLUG_RESIZE);
  cloud.engine.submit({ kind: 'capacity', vm: vm.id, back });
  return vm.id;
};

export const vmMoveMethods: Readonly<Record<string, Method>> = { 'one.vm.migrate': migrate, 'one.vm.resize': resize };
