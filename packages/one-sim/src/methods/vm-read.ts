import { vmBody, vmShortBody } from '../bodies/vm-body.ts';
import { VM_STATE } from '../model/states.ts';
import type { Vm } from '../model/world-schema.ts';
import { authorize, type Call, type Method, RIGHT, vmOf } from './call.ts';
import { selectPool } from './pool-filter.ts';

const info: Method = (call) => {
  const vm = vmOf(call, call.params.int(1));
  authorize(call, vm, 'VM', RIGHT.USE, { ignoreLock: true });
  return vmBody(call.cloud.world, vm);
};

/** state: -2 any, -1 anything but DONE, otherwise that STATE. */
function selected(call: Call): Vm[] {
  const state = call.params.int(4, -1);
  return selectPool(call, call.cloud.world.vms.values()).filter((vm) => state === -2 || (state === -1 ? vm.state !== VM_STATE.DONE : vm.state === state));
}

const poolInfo: Method = (call) =>
  `<VM_POOL>${selected(call)
    .map((vm) => vmShortBody(call.cloud.world, vm))
    .join('')}</VM_POOL>`;

const poolInfoExtended: Method = (call) =>
  `<VM_POOL>${selected(call)
    .map((vm) => vmBody(call.cloud.world, vm, 'last'))
    .join('')}</VM_POOL>`;

const poolInfoSet: Method = (call) => {
  const ids = call.params.string(1).split(',').map(Number);
  const extended = call.params.boolean(2);
  const vms = ids.map((id) => call.cloud.world.vms.get(id)).filter((vm) => vm !== undefined);
  return `<VM_POOL>${vms.map((vm) => (extended ? vmBody(call.cloud.world, vm, 'last') : vmShortBody(call.cloud.world, vm))).join('')}</VM_POOL>`;
};

/** Nothing is measured here: the collection is empty, as for a VM that was never polled. */
const monitoring: Method = (call) => {
  const vm = vmOf(call, call.params.int(1));
  authorize(call, vm, 'VM', RIGHT.USE, { ignoreLock: true });
  return '<MONITORING_DATA></MONITORING_DATA>';
};

export const vmReadMethods: Readonly<Record<string, Method>> = {
  'one.vm.info': info,
  'one.vm.monitoring': monitoring,
  'one.vmpool.info': poolInfo,
  'one.vmpool.infoextended': poolInfoExtended,
  'one.vmpool.infoset': poolInfoSet,
};
