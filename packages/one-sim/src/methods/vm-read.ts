import { monitoringFields, vmBody, vmShortBody } from '../bodies/vm-body.ts';
import { VM_STATE } from '../model/states.ts';
import type { Vm } from '../model/world-schema.ts';
import { decryptedVmAttributes } from '../rights/encryption.ts';
import { ERROR_CODE, internal, Refusal } from '../wire/refusal.ts';
import { authorize, type Call, type Method, onVm, readVm } from './call.ts';
import { selectPool, visiblePool } from './pool-filter.ts';

/** What is encrypted stays so, unless an admin passes `decrypt`. */
const info: Method = (call) => {
  const vm = readVm(call, call.params.int(1));
  authorize(call, 'USE', onVm(vm), { ignoreLock: true });
  const { world } = call.cloud;
  const plain = call.isAdmin && call.params.boolean(2, false);
  return vmBody(world, plain ? { ...vm, template: decryptedVmAttributes(vm.template, world.zoneKey) } : vm);
};

/** state: -2 any, -1 anything but DONE, otherwise that STATE. The search by key and value needs a database with JSON: this one, like SQLite, has none. */
function selected(call: Call): Vm[] {
  const state = call.params.int(4);
  if (call.params.string(5, '') !== '') throw internal('JSON query search is not supported by the SQL backend');
  if (state < -2 || state > VM_STATE.CLONING_FAILURE) throw new Refusal(ERROR_CODE.XML_RPC_API, 'Incorrect filter_flag, state');
  const wanted = (vm: Vm): boolean => state === -2 || (state === -1 ? vm.state !== VM_STATE.DONE : vm.state === state);
  return selectPool(call, 'VM', [...call.cloud.world.vms.values()].filter(wanted));
}

const poolInfo: Method = (call) =>
  `<VM_POOL>${selected(call)
    .map((vm) => vmShortBody(call.cloud.world, vm))
    .join('')}</VM_POOL>`;

const poolInfoExtended: Method = (call) =>
  `<VM_POOL>${selected(call)
    .map((vm) => vmBody(call.cloud.world, vm, 'last'))
    .join('')}</VM_POOL>`;

/** Those of the ids that the caller may USE, each once, newest first. */
const poolInfoSet: Method = (call) => {
  const ids = new Set(call.params.string(1).split(',').map(Number));
  const extended = call.params.boolean(2);
  const vms = visiblePool(
    call,
    'VM',
    [...ids].map((id) => call.cloud.world.vms.peek(id)).filter((vm) => vm !== undefined),
  );
  return `<VM_POOL>${vms.map((vm) => (extended ? vmBody(call.cloud.world, vm, 'last') : vmShortBody(call.cloud.world, vm))).join('')}</VM_POOL>`;
};

/** The last values only; empty for a VM that was never polled. */
const monitoring: Method = (call) => {
  const vm = readVm(call, call.params.int(1));
  authorize(call, 'USE', onVm(vm), { ignoreLock: true });
  const last = monitoringFields(vm);
  return `<MONITORING_DATA>${last && `<MONITORING>${last}</MONITORING>`}</MONITORING_DATA>`;
};

export const vmReadMethods: Readonly<Record<string, Method>> = {
  'one.vm.info': info,
  'one.vm.monitoring': monitoring,
  'one.vmpool.info': poolInfo,
  'one.vmpool.infoextended': poolInfoExtended,
  'one.vmpool.infoset': poolInfoSet,
};
