import { rm } from 'node:fs/promises';
import type { Cloud } from '../cloud.ts';
import { diskIdOf, disksOf, imageIdOf } from '../model/disk-vector.ts';
import { releaseLeases } from '../model/network-lease.ts';
import { ACTION, LCM_STATE, VM_STATE } from '../model/states.ts';
import type { Operation, Vm } from '../model/world-schema.ts';
import { bootGuest, retryPending } from './deploy.ts';
import { giveBackSnapshots, releaseImage } from './image-use.ts';
import type { OperationHandler } from './operation-handler.ts';
import type { TimedStep } from './pace.ts';
import { openRecord, setVmError, setVmState } from './vm-change.ts';

interface Phase {
  readonly lcm: number;
  readonly step: TimedStep;
}

interface Course {
  readonly from: readonly (readonly [state: number, lcm: number])[];
  readonly phases: readonly Phase[];
  readonly end: readonly [state: number, lcm: number];
  /** HISTORY/ACTION. */
  readonly action: number;
}

const { RUNNING } = LCM_STATE;
const running = [[VM_STATE.ACTIVE, RUNNING]] as const;
const epilog: Phase = { lcm: LCM_STATE.EPILOG, step: 'epilog' };
const stopped = [VM_STATE.SUSPENDED, VM_STATE.POWEROFF, VM_STATE.STOPPED, VM_STATE.UNDEPLOYED].map((state) => [state, 0] as const);
const waiting = [VM_STATE.PENDING, VM_STATE.HOLD, VM_STATE.CLONING, VM_STATE.CLONING_FAILURE].map((state) => [state, 0] as const);
const failed = [LCM_STATE.BOOT_FAILURE, LCM_STATE.PROLOG_FAILURE].map((lcm) => [VM_STATE.ACTIVE, lcm] as const);

function course(from: Course['from'], phases: readonly Phase[], end: Course['end'], action: number): Course {
  return { from, phases, end, action };
}

function terminate(action: number): readonly Course[] {
  return [
    course(running, [{ lcm: LCM_STATE.SHUTDOWN, step: 'terminate' }, epilog], [VM_STATE.DONE, 0], action),
    course([...stopped, ...failed], [epilog], [VM_STATE.DONE, 0], action),
    course(waiting, [], [VM_STATE.DONE, 0], action),
  ];
}

const powerOff = (action: number): readonly Course[] => [
  course(running, [{ lcm: LCM_STATE.SHUTDOWN_POWEROFF, step: 'poweroff' }], [VM_STATE.POWEROFF, 0], action),
];
const undeploy: readonly Course[] = [
  course(
    running,
    [
      { lcm: LCM_STATE.SHUTDOWN_UNDEPLOY, step: 'poweroff' },
      { lcm: LCM_STATE.EPILOG_UNDEPLOY, step: 'epilog' },
    ],
    [VM_STATE.UNDEPLOYED, 0],
    ACTION.UNDEPLOY,
  ),
  course([[VM_STATE.POWEROFF, 0]], [{ lcm: LCM_STATE.EPILOG_UNDEPLOY, step: 'epilog' }], [VM_STATE.UNDEPLOYED, 0], ACTION.UNDEPLOY),
];

/** opennebula.md b.2: what each verb is allowed from, passes through, and ends in. */
const COURSES: Readonly<Record<string, readonly Course[]>> = {
  suspend: [course(running, [{ lcm: LCM_STATE.SAVE_SUSPEND, step: 'suspend' }], [VM_STATE.SUSPENDED, 0], ACTION.SUSPEND)],
  stop: [
    course(
      running,
      [
        { lcm: LCM_STATE.SAVE_STOP, step: 'stop' },
        { lcm: LCM_STATE.EPILOG_STOP, step: 'epilog' },
      ],
      [VM_STATE.STOPPED, 0],
      ACTION.STOP,
    ),
    course([[VM_STATE.SUSPENDED, 0]], [{ lcm: LCM_STATE.EPILOG_STOP, step: 'epilog' }], [VM_STATE.STOPPED, 0], ACTION.STOP),
  ],
  poweroff: powerOff(ACTION.POWEROFF),
  'poweroff-hard': powerOff(ACTION.POWEROFF_HARD),
  undeploy,
  'undeploy-hard': undeploy,
  resume: [
    course([[VM_STATE.POWEROFF, 0]], [{ lcm: LCM_STATE.BOOT_POWEROFF, step: 'resume' }], [VM_STATE.ACTIVE, RUNNING], ACTION.RESUME),
    course([[VM_STATE.SUSPENDED, 0]], [{ lcm: LCM_STATE.BOOT_SUSPENDED, step: 'resume' }], [VM_STATE.ACTIVE, RUNNING], ACTION.RESUME),
    course([[VM_STATE.STOPPED, 0]], [], [VM_STATE.PENDING, 0], ACTION.RESUME),
    course([[VM_STATE.UNDEPLOYED, 0]], [], [VM_STATE.PENDING, 0], ACTION.RESUME),
  ],
  hold: [course([[VM_STATE.PENDING, 0]], [], [VM_STATE.HOLD, 0], ACTION.HOLD)],
  release: [course([[VM_STATE.HOLD, 0]], [], [VM_STATE.PENDING, 0], ACTION.RELEASE)],
  reboot: [course(running, [], [VM_STATE.ACTIVE, RUNNING], 0)],
  'reboot-hard': [course(running, [], [VM_STATE.ACTIVE, RUNNING], 0)],
  terminate: terminate(ACTION.TERMINATE),
  'terminate-hard': terminate(ACTION.TERMINATE_HARD),
};

export function isKnownAction(action: string): boolean {
  return Object.hasOwn(COURSES, action);
}

/** The way this verb takes from here; undefined when it is not available in this state. */
function courseFrom(action: string | undefined, state: number, lcm: number): Course | undefined {
  return COURSES[action ?? '']?.find((candidate) => candidate.from.some(([from, fromLcm]) => from === state && fromLcm === lcm));
}

export function isActionAvailable(action: string, vm: Vm): boolean {
  return courseFrom(action, vm.state, vm.lcmState) !== undefined;
}

/** Runs after the answer was sent. `back` is where the VM stood then; if somebody else moved it first, the event is lost, as in the LCM. */
export const actionHandler: OperationHandler = {
  step: 'react',
  async work(cloud, operation, signal) {
    const vm = cloud.world.vms.get(operation.vm ?? -1);
    const [state, lcm] = operation.back ?? [-1, -1];
    const way = courseFrom(operation.action, state, lcm);
    if (!vm || !way) return;
    const resumedAt = way.phases.findIndex((phase) => vm.state === VM_STATE.ACTIVE && phase.lcm === vm.lcmState);
    if (resumedAt < 0) {
      await cloud.pace.pass('react', { signal });
      if (vm.state !== state || vm.lcmState !== lcm) return;
      markHistory(cloud, vm, way);
    }
    for (const phase of way.phases.slice(Math.max(0, resumedAt))) {
      setVmState(vm, VM_STATE.ACTIVE, phase.lcm);
      await cloud.store.commit();
      await cloud.pace.pass(phase.step, { signal });
    }
    await arrive(cloud, vm, way);
  },
  succeed: () => undefined,
  fail(cloud, operation, text) {
    const vm = cloud.world.vms.get(operation.vm ?? -1);
    if (!vm || !operation.back) return;
    setVmState(vm, operation.back[0], operation.back[1]);
    setVmError(cloud, vm, `${(operation.action ?? '').toUpperCase()}: ${text}`);
  },
};

function markHistory(cloud: Cloud, vm: Vm, way: Course): void {
  const last = vm.history.at(-1);
  if (!last) return;
  const now = cloud.now();
  if (way.action === ACTION.RESUME) {
    if (way.end[0] !== VM_STATE.ACTIVE) return;
    last.etime ||= now;
    vm.history.push(openRecord(vm, { ...last, stime: now, pstime: 0, petime: 0, rstime: now }));
  } else if (way.action !== 0) {
    last.action = way.action;
    if (last.rstime !== 0 && last.retime === 0) last.retime = now;
  }
}

async function arrive(cloud: Cloud, vm: Vm, way: Course): Promise<void> {
  const [state, lcm] = way.end;
  const from = vm.state;
  if (lcm === RUNNING && way.phases.length > 0) await bootGuest(cloud, vm);
  if (lcm !== RUNNING) await cloud.guest(vm)?.shutDown();
  if (state === VM_STATE.DONE) await takeDown(cloud, vm);
  setVmState(vm, state, lcm);
  if (state === VM_STATE.PENDING) {
    const origin = from === VM_STATE.STOPPED ? 'stopped' : from === VM_STATE.UNDEPLOYED ? 'undeployed' : undefined;
    cloud.engine.submit({ kind: 'deploy', vm: vm.id, ...(origin === undefined ? {} : { action: origin }) });
  }
  if (state === VM_STATE.DONE) retryPending(cloud);
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
  vm.etime = now;
}

/** Where a recorded action stands: used to refuse nothing twice. */
export function actionOperation(vm: Vm, action: string): Omit<Operation, 'id'> {
  return { kind: 'action', vm: vm.id, action, back: [vm.state, vm.lcmState] };
}
