import { diskId, type OneApi, type Vm, type VmId } from '@onevault/one-client';
import type { HotplugApi, ProxyVmView } from '@onevault/proxy-attach';

/** What attaching needs of OpenNebula, narrowed to the one VM that disks are attached to. */
export function hotplugApi(cloud: OneApi, proxyVm: VmId): HotplugApi {
  return {
    view: async (options) => viewOf(await cloud.vm(proxyVm, options)),
    attachDisk: (disk, options) => cloud.attachDisk(proxyVm, disk, options),
    detachDisk: (id, options) => cloud.detachDisk(proxyVm, diskId(id), options),
    waitFor: async (done, options) => viewOf(await cloud.waitForVm(proxyVm, (vm) => (done(viewOf(vm)) ? 'done' : 'wait'), options)),
  };
}

function viewOf(vm: Vm): ProxyVmView {
  return { state: vm.state, lcmState: vm.lcmState, error: vm.error, disks: vm.disks, contextDisk: vm.contextDisk };
}

