import { mkdir } from 'node:fs/promises';
import type { Cloud } from '../cloud.ts';
import { createSparse } from '../disk/sparse-copy.ts';
import { contextOf, diskIdOf, disksOf, imageIdOf, uuidOf } from '../model/disk-vector.ts';
import { IMAGE_STATE, LCM_STATE, VM_STATE } from '../model/states.ts';
import { bytesToProvide, diskDriver } from '../model/transfer-driver.ts';
import type { Datastore, Image, Operation, Vm } from '../model/world-schema.ts';
import { setText, textOf, type Vector } from '../template/attributes.ts';
import { provideDisk } from './disk-transfer.ts';
import { assignDevices } from './host-devices.ts';
import { isBroken, plugDisk } from './hotplug.ts';
import { DriverFailure, giveUp, isTroubled, type OperationHandler } from './operation-handler.ts';
import { beginGuest } from './overlay-chain.ts';
import { type Placement, placeVm } from './placement.ts';
import { adaptToSystem } from './system-target.ts';
import { openRecord, setVmError, setVmMessage, setVmState } from './vm-change.ts';

/** From PENDING over PROLOG and BOOT to RUNNING; taken up where it was after a kill. An injected failure is the transfer's (`before`) or the boot's. */
export const deployHandler: OperationHandler = {
  step: 'schedule',
  failsByItself: true,
  async work(cloud, operation, signal) {
    const vm = cloud.world.vms.get(operation.vm ?? -1);
    if (!vm) return;
    if (vm.state === VM_STATE.PENDING) {
      await cloud.pace.pass('schedule', { signal });
      if (vm.state !== VM_STATE.PENDING || !schedule(cloud, vm, operation.action)) return;
      await cloud.store.commit();
    }
    if (isProlog(vm)) {
      await prolog(cloud, vm, signal);
      if (isTroubled(operation) && operation.failPhase === 'before') giveUp(operation);
      setVmState(vm, VM_STATE.ACTIVE, BOOT_AFTER[vm.lcmState] ?? LCM_STATE.BOOT);
      await cloud.store.commit();
    }
    if (vm.state !== VM_STATE.ACTIVE || vm.lcmState === LCM_STATE.RUNNING) return;
    await boot(cloud, vm, operation, signal);
  },
  succeed: () => undefined,
  fail(cloud, operation, text) {
    const vm = cloud.world.vms.get(operation.vm ?? -1);
    if (!vm) return;
    const prologFailed = isProlog(vm);
    setVmState(vm, VM_STATE.ACTIVE, FAILURE_OF[vm.lcmState] ?? LCM_STATE.BOOT_FAILURE);
    setVmError(cloud, vm, prologFailed ? `Error executing image transfer script: ${text}` : `DEPLOY: ${text}`);
  },
};

async function boot(cloud: Cloud, vm: Vm, operation: Operation, signal: AbortSignal): Promise<void> {
  await cloud.pace.pass('boot', { signal });
  if (isTroubled(operation)) giveUp(operation);
  if (disksOf(vm).some((disk) => isBroken(cloud, disk))) throw new DriverFailure('Could not create domain');
  beginGuest(vm, vm.lcmState === LCM_STATE.BOOT_STOPPED);
  await bootGuest(cloud, vm);
  vm.deployId = uuidOf(vm) ?? ''; // libvirt's name for a KVM domain of 7.x
  setVmState(vm, VM_STATE.ACTIVE, LCM_STATE.RUNNING);
}

const BOOT_AFTER: Readonly<Record<number, number>> = {
  [LCM_STATE.PROLOG]: LCM_STATE.BOOT,
  [LCM_STATE.PROLOG_RESUME]: LCM_STATE.BOOT_STOPPED,
  [LCM_STATE.PROLOG_UNDEPLOY]: LCM_STATE.BOOT_UNDEPLOY,
};

/** trigger_prolog_failure and trigger_deploy_failure of LifeCycleStates.cc. */
const FAILURE_OF: Readonly<Record<number, number>> = {
  [LCM_STATE.PROLOG]: LCM_STATE.PROLOG_FAILURE,
  [LCM_STATE.PROLOG_RESUME]: LCM_STATE.PROLOG_RESUME_FAILURE,
  [LCM_STATE.PROLOG_UNDEPLOY]: LCM_STATE.PROLOG_UNDEPLOY_FAILURE,
  [LCM_STATE.BOOT]: LCM_STATE.BOOT_FAILURE,
  [LCM_STATE.BOOT_STOPPED]: LCM_STATE.BOOT_STOPPED_FAILURE,
  [LCM_STATE.BOOT_UNDEPLOY]: LCM_STATE.BOOT_UNDEPLOY_FAILURE,
};

/** one.vm.recover with retry: from a failure back to the phase that failed (LifeCycleManager::retry). */
export const RETRY_OF: Readonly<Record<number, number>> = Object.fromEntries(Object.entries(FAILURE_OF).map(([lcm, failure]) => [failure, Number(lcm)]));

const isProlog = (vm: Vm): boolean => vm.state === VM_STATE.ACTIVE && vm.lcmState in BOOT_AFTER;

/** Places the VM, or leaves it PENDING with the reason in SCHED_MESSAGE. */
function schedule(cloud: Cloud, vm: Vm, from: string | undefined): boolean {
  const placement = placeVm(cloud, vm);
  if ('message' in placement) {
    setVmMessage(cloud, vm, 'SCHED_MESSAGE', placement.message);
    return false;
  }
  delete vm.userTemplate['SCHED_MESSAGE'];
  openHistory(cloud, vm, placement);
  setVmState(vm, VM_STATE.ACTIVE, from === 'stopped' ? LCM_STATE.PROLOG_RESUME : from === 'undeployed' ? LCM_STATE.PROLOG_UNDEPLOY : LCM_STATE.PROLOG);
  return true;
}

function openHistory(cloud: Cloud, vm: Vm, placement: Exclude<Placement, { readonly message: string }>): void {
  const { host, datastore } = placement;
  const now = cloud.now();
  const place = { hostName: host.name, hostId: host.id, clusterId: host.clusterId, vmMad: host.vmMad, tmMad: datastore.tmMad, datastoreId: datastore.id };
  const times = { stime: now, etime: 0, pstime: now, petime: 0, rstime: 0, retime: 0, estime: 0, eetime: 0 };
  vm.history.push(openRecord(vm, { seq: 0, ...place, ...times, action: 0, uid: -1, gid: -1, requestId: -1 }));
  setText(vm.template, 'TM_MAD_SYSTEM', datastore.tmMad);
  assignDevices(cloud, vm, host);
  for (const disk of disksOf(vm)) {
    if (imageIdOf(disk) === undefined) inheritSystemDatastore(disk, datastore);
    else adaptToSystem(cloud, disk, datastore);
  }
}

/** A volatile disk takes its datastore's attributes when it is placed. */
function inheritSystemDatastore(disk: Vector, datastore: Datastore): void {
  const orphans = textOf(datastore.template, 'ALLOW_ORPHANS');
  if (orphans !== undefined) disk['ALLOW_ORPHANS'] = orphans;
  disk['CLUSTER_ID'] = datastore.clusterIds.join(',');
  disk['DATASTORE'] = datastore.name;
  disk['DATASTORE_ID'] = String(datastore.id);
  disk['DISK_TYPE'] = textOf(datastore.template, 'DISK_TYPE') ?? 'FILE';
  disk['PERSISTENT_SNAPSHOTS'] = 'YES';
  disk['TM_MAD'] = datastore.tmMad;
}

async function prolog(cloud: Cloud, vm: Vm, signal: AbortSignal): Promise<void> {
  const first = vm.lcmState === LCM_STATE.PROLOG;
  const moved = first ? disksOf(vm).filter((disk) => imageIdOf(disk) !== undefined) : [];
  await cloud.pace.pass('deploy', { signal, bytesCopied: moved.reduce((sum, disk) => sum + bytesToProvide(diskDriver(cloud.world, disk), disk), 0) });
  if (first) {
    await mkdir(cloud.layout.vm(vm), { recursive: true });
    for (const disk of disksOf(vm)) {
      if (imageIdOf(disk) === undefined) await createSparse(cloud.layout.disk(cloud.world, vm, disk), Number(disk['SIZE'] ?? 0) * 2 ** 20);
      else await provideDisk(cloud, vm, disk, signal);
    }
    const context = contextOf(vm);
    if (context) await createSparse(cloud.layout.disk(cloud.world, vm, context), 2 ** 20);
  }
  const record = vm.history.at(-1);
  if (record) record.petime = record.rstime = cloud.now();
}

/** The guest begins to live; a proxy's comes up with the disks the VM has. */
export async function bootGuest(cloud: Cloud, vm: Vm): Promise<void> {
  await cloud.lives.begin(cloud, vm);
  const guest = cloud.guest(vm);
  if (!guest) return;
  const context = contextOf(vm);
  await guest.boot(uuidOf(vm) ?? '', context && cloud.layout.disk(cloud.world, vm, context));
  for (const disk of disksOf(vm).sort((a, b) => diskIdOf(a) - diskIdOf(b))) {
    if (disk['ATTACH'] !== 'YES' && disk['TYPE'] !== 'FILESYSTEM') await plugDisk(cloud, vm, disk, 'boot');
  }
}

/** Tries again to place what waits: after capacity came back or a requirement changed. */
export function retryPending(cloud: Cloud): void {
  const underWay = new Set([...cloud.world.operations.values()].filter((operation) => operation.kind === 'deploy').map((operation) => operation.vm));
  for (const vm of cloud.world.vms.values()) {
    if (vm.state === VM_STATE.PENDING && !underWay.has(vm.id)) cloud.engine.submit({ kind: 'deploy', vm: vm.id });
  }
}

/** VMs in CLONING wait for their images; an image that fails takes them to CLONING_FAILURE. */
export function wakeCloningVms(cloud: Cloud, image: Image): void {
  for (const vmId of image.vmIds) {
    const vm = cloud.world.vms.get(vmId);
    if (!vm || vm.state !== VM_STATE.CLONING) continue;
    if (image.state === IMAGE_STATE.ERROR) setVmState(vm, VM_STATE.CLONING_FAILURE);
    for (const disk of disksOf(vm)) if (imageIdOf(disk) === image.id) delete disk['CLONING'];
    if (vm.state !== VM_STATE.CLONING || disksOf(vm).some((disk) => 'CLONING' in disk)) continue;
    setVmState(vm, VM_STATE.PENDING);
    cloud.engine.submit({ kind: 'deploy', vm: vm.id });
  }
}
