import type { OneApi } from './api.ts';
import type { CallDeps } from './caller.ts';
import { methods } from './methods.ts';
import { imageId, snapshotId, type VmId } from './model.ts';
import { parseVm, parseVmSummary } from './parse-vm.ts';
import { permissionBits, UNCHANGED } from './permission-bits.ts';
import { pagedPool } from './pool.ts';
import { vmStateName } from './states.ts';
import { formatTemplate } from './template-text.ts';
import { waitFor } from './wait.ts';

type VmCalls = Pick<
  OneApi,
  | 'vm'
  | 'vms'
  | 'fullVms'
  | 'createDiskSnapshot'
  | 'deleteDiskSnapshot'
  | 'revertDiskSnapshot'
  | 'saveDiskAs'
  | 'attachDisk'
  | 'detachDisk'
  | 'vmAction'
  | 'updateVm'
  | 'updateVmConfiguration'
  | 'chownVm'
  | 'chmodVm'
  | 'waitForVm'
>;

const LIVE = -1;
const POOL = { pool: 'VM_POOL', child: 'VM', parse: parseVmSummary } as const;
const FULL_POOL = { ...POOL, parse: parseVm } as const;
/** A full body is a page by itself: 6 to 20 KiB. */
const FULL_PAGE = 50;

export function vmCalls(deps: CallDeps): VmCalls {
  const { call, clock, outageMs } = deps;
  const vm: VmCalls['vm'] = async (id, options) => parseVm(await call(methods.vmInfo, [id], options));
  return {
    vm,
    vms: (options) => pagedPool(POOL, (offset, count) => call(methods.vmPoolInfo, [offset, count], options), deps),
    fullVms: (options) =>
      pagedPool(FULL_POOL, (offset, count) => call(methods.vmPoolInfoExtended, [offset, count], options), {
        ...deps,
        pageSize: Math.min(deps.pageSize, FULL_PAGE),
      }),
    createDiskSnapshot: async (id, disk, name, options) => snapshotId(await call(methods.vmDiskSnapshotCreate, [id, disk, name], options)),
    async deleteDiskSnapshot(id, disk, snapshot, options) {
      await call(methods.vmDiskSnapshotDelete, [id, disk, snapshot], options);
    },
    async revertDiskSnapshot(id, disk, snapshot, options) {
      await call(methods.vmDiskSnapshotRevert, [id, disk, snapshot], options);
    },
    saveDiskAs: async (id, disk, name, snapshot, options) => imageId(await call(methods.vmDiskSaveAs, [id, disk, name, snapshot ?? LIVE], options)),
    async attachDisk(id, disk, options) {
      await call(methods.vmAttach, [id, formatTemplate({ DISK: disk })], options);
    },
    async detachDisk(id, disk, options) {
      await call(methods.vmDetach, [id, disk], options);
    },
    async vmAction(id, action, options) {
      await call(methods.vmAction, [action, id], options);
    },
    async updateVm(id, attributes, options) {
      await call(methods.vmUpdate, [id, formatTemplate(attributes)], options);
    },
    async updateVmConfiguration(id, attributes, options) {
      await call(methods.vmUpdateConf, [id, formatTemplate(attributes)], options);
    },
    async chownVm(id, { userId = UNCHANGED, groupId = UNCHANGED }, options) {
      await call(methods.vmChown, [id, userId, groupId], options);
    },
    async chmodVm(id, permissions, options) {
      await call(methods.vmChmod, [id, permissionBits(permissions)], options);
    },
    waitForVm: (id: VmId, verdict, options) =>
      waitFor({ read: (signal) => vm(id, { signal }), verdict, describe: vmStateName, object: `VM ${id}`, clock, outageMs }, options),
  };
}
