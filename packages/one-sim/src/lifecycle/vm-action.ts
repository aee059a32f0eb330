import { rm } from 'node:fs/promises';
import type { Cloud } from '../cloud.ts';
import { diskIdOf, disksOf, imageIdOf } from '../model/disk-vector.ts';
import { releaseLeases } from '../model/network-lease.ts';
import { ACTION, LCM_STATE, VM_STATE } from '../model/states.ts';
import type { Operation, Vm } from '../model/world-schema.ts';
import { vectorsOf } from '../template/attributes.ts';
import { bootGuest, retryPending } from './deploy.ts';
import { mustReturn, returnDisk } from './disk-transfer.ts';
import { giveBackSnapshots, releaseImage } from './image-use.ts';
import { giveUp, isTroubled, type OperationHandler } from './operation-handler.ts';
import { beginGuest, endGuest } from './overlay-chain.ts';
import { openRecord, setVmError, setVmState } from './vm-change.ts';
import { type Course, courseFrom, type Phase } from './vm-courses.ts';

const { RUNNING } = LCM_STATE;

/** Runs after the answer was sent. `back` is where the VM stood then; if somebody else moved it first, the event is lost, as in the LCM. */
export const actionHandler: OperationHandler = {
  step: 'react',
  failsByItself: true,
  async work(cloud, operation, signal) {
    const vm = cloud.world.vms.get(operation.vm ?? -1);
    const [state, lcm] = operation.back ?? [-1, -1];
    const way = courseFrom(operation.action, state, lcm);
    if (!vm || !way) return;
    const resumedAt = way.phases.findIndex((phase) => vm.state === VM_STATE.ACTIVE && phase.lcm === vm.lcmState);
    if (resumedAt < 0) {
      await cloud.pace.pass('react', { signal });
      if (vm.state !== state || vm.lcmState !== lcm) return;
      markHistory(cloud, vm, way, operation.by);
    }
    for (const phase of way.phases.slice(Math.max(0, resumedAt))) {
      setVmState(vm, VM_STATE.ACTIVE, phase.lcm);
      await cloud.store.commit();
      await takePhase(cloud, vm, operation, { phase, way, signal });
    }
    await arrive(cloud, vm, way, operation);
  },
  succeed: () => undefined,
  fail(cloud, operation, text) {
    const vm = cloud.world.vms.get(operation.vm ?? -1);
    const way = vm && courseFrom(operation.action, operation.back?.[0] ?? -1, operation.back?.[1] ?? -1);
    if (!vm || !operation.back) return;
    const [state, lcm] = way?.phases.find((phase) => vm.state === VM_STATE.ACTIVE && phase.lcm === vm.lcmState)?.failed ?? operation.back;
    setVmState(vm, state, lcm);
    setVmError(cloud, vm, `${(operation.action ?? '').toUpperCase()}: ${text}`);
  },
};

interface Taking {
  readonly phase: Phase;
  readonly way: Course;
  readonly signal: AbortSignal;
}

/** One phase; an injected failure comes in the first (`before`), or at the end of the last (`after`, `half`). */
async function takePhase(cloud: Cloud, vm: Vm, operation: Operation, { phase, way, signal }: Taking): Promise<void> {
  const early = isTroubled(operation) && operation.failPhase === 'before';
  const ends = way.end[0] === VM_STATE.DONE && phase.lcm === LCM_STATE.EPILOG;
  const placed = vm.history.some((record) => record.petime !== 0);
  const returned = ends && placed ? disksOf(vm).filter((disk) => mustReturn(cloud, vm, disk)) : [];
  await cloud.pace.pass(phase.step, { signal, bytesCopied: returned.reduce((sum, disk) => sum + Number(disk['SIZE'] ?? 0) * 2 ** 20, 0) });
  if (early) giveUp(operation);
  for (const disk of returned) await returnDisk(cloud, vm, disk, signal);
  if (isTroubled(operation) && phase === way.phases.at(-1)) giveUp(operation);
}

function markHistory(cloud: Cloud, vm: Vm, way: Course, by: Operation['by']): void {
  const last = vm.history.at(-1);
  if (!last) return;
  const now = cloud.now();
  if (way.action === ACTION.RESUME) {
    if (way.end[0] !== VM_STATE.ACTIVE) return;
    last.etime ||= now;
    vm.history.push(openRecord(vm, { ...last, stime: now, pstime: 0, petime: 0, rstime: now }));
  } else if (way.action !== 0) {
    Object.assign(last, { action: way.action, ...by });
    if (last.rstime !== 0 && last.retime === 0) last.retime = now;
  }
}

/** Where a deployment begins that brings a VM back. */
const ORIGINS: Readonly<Record<number, string>> = { [VM_STATE.STOPPED]: 'stopped', [VM_STATE.UNDEPLOYED]: 'undeployed' };

async function arrive(cloud: Cloud, vm: Vm, way: Course, operation: Operation): Promise<void> {
  const [state, lcm] = way.end;
  const from = vm.state === VM_STATE.ACTIVE ? (operation.back?.[0] ?? vm.state) : vm.state;
  if (operation.host !== undefined) changeHost(cloud, vm, operation.host);
  if (lcm !== RUNNING) {
    await cloud.guest(vm)?.shutDown();
    await endGuest(cloud, vm);
  } else if (way.phases.length > 0 && operation.action !== 'live-migrate') {
    beginGuest(vm, from === VM_STATE.SUSPENDED || operation.action === 'migrate');
    await bootGuest(cloud, vm);
  }
  if (state === VM_STATE.DONE) await takeDown(cloud, vm);
  setVmState(vm, state, lcm);
  if (state === VM_STATE.PENDING) {
    const origin = ORIGINS[from];
    cloud.engine.submit({ kind: 'deploy', vm: vm.id, ...(origin === undefined ? {} : { action: origin }) });
  }
  if (state === VM_STATE.DONE) retryPending(cloud);
}

/** add_history of the new host. */
function changeHost(cloud: Cloud, vm: Vm, hostId: number): void {
  const host = cloud.world.hosts.get(hostId);
  const last = vm.history.at(-1);
  if (!host || !last) return;
  const now = cloud.now();
  last.etime ||= now;
  const place = { hostName: host.name, hostId: host.id, clusterId: host.clusterId, vmMad: host.vmMad };
  vm.history.push(openRecord(vm, { ...last, ...place, stime: now, pstime: 0, petime: 0, rstime: now }));
}

/** Epilog of a terminated VM: its copies go, its images, leases and persistent snapshots are given back. */
async function takeDown(cloud: Cloud, vm: Vm): Promise<void> {
  const now = cloud.now();
  const last = vm.history.at(-1);
  if (last) {
    await rm(cloud.layout.vm(vm), { recursive: true, force: true });
    Object.assign(last, { etime: now, estime: now, eetime: now });
  }
  const disks = disksOf(vm);
  for (const disk of disks) giveBackSnapshots(cloud, vm, disk);
  const images = new Set(disks.map(imageIdOf).filter((id) => id !== undefined));
  const kept = vm.template['DISK'];
  delete vm.template['DISK']; // releaseImage looks for other disks of the VM that use the image
  for (const id of images) releaseImage(cloud, vm, id);
  if (kept) vm.template['DISK'] = kept;
  vm.snapshots = vm.snapshots.filter((tree) => disks.some((disk) => diskIdOf(disk) === tree.diskId));
  for (const network of cloud.world.networks.values()) releaseLeases(network, vm.id);
  for (const graphics of vectorsOf(vm.template, 'GRAPHICS')) delete graphics['PORT']; // release_vnc_port
  vm.etime = now;
}

/** Where a recorded action stands, and who wants it: used to refuse nothing twice. */
export function actionOperation(vm: Vm, action: string, by?: Operation['by']): Omit<Operation, 'id'> {
  return { kind: 'action', vm: vm.id, action, back: [vm.state, vm.lcmState], ...(by ? { by } : {}) };
}
