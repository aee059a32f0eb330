import { ACTION, LCM_STATE, VM_STATE } from '../model/states.ts';
import type { Vm } from '../model/world-schema.ts';
import type { TimedStep } from './pace.ts';

export interface Phase {
  readonly lcm: number;
  readonly step: TimedStep;
  /** Where a driver that fails in this phase leaves the VM (LifeCycleStates.cc trigger_*_failure). */
  readonly failed: readonly [state: number, lcm: number];
}

/** The way a verb takes: what it is allowed from, passes through, and ends in (opennebula.md b.2). */
export interface Course {
  readonly from: readonly (readonly [state: number, lcm: number])[];
  readonly phases: readonly Phase[];
  readonly end: readonly [state: number, lcm: number];
  /** HISTORY/ACTION. */
  readonly action: number;
}

const { RUNNING, UNKNOWN } = LCM_STATE;
const active = (...lcms: readonly number[]): (readonly [number, number])[] => lcms.map((lcm) => [VM_STATE.ACTIVE, lcm]);
const resting = (...states: readonly number[]): (readonly [number, number])[] => states.map((state) => [state, 0]);
const RUNS = [VM_STATE.ACTIVE, RUNNING] as const;

const phase = (lcm: number, step: TimedStep, failed: Phase['failed'] = RUNS): Phase => ({ lcm, step, failed });
const epilog = (lcm: number, failure: number): Phase => phase(lcm, 'epilog', [VM_STATE.ACTIVE, failure]);
const course = (from: Course['from'], phases: readonly Phase[], end: Course['end'], action: number): Course => ({ from, phases, end, action });

const EPILOG = epilog(LCM_STATE.EPILOG, LCM_STATE.EPILOG_FAILURE);
const EPILOG_STOP = epilog(LCM_STATE.EPILOG_STOP, LCM_STATE.EPILOG_STOP_FAILURE);
const EPILOG_UNDEPLOY = epilog(LCM_STATE.EPILOG_UNDEPLOY, LCM_STATE.EPILOG_UNDEPLOY_FAILURE);
const FAILURES = active(
  LCM_STATE.BOOT_FAILURE,
  LCM_STATE.BOOT_MIGRATE_FAILURE,
  LCM_STATE.PROLOG_MIGRATE_FAILURE,
  LCM_STATE.PROLOG_FAILURE,
  LCM_STATE.EPILOG_FAILURE,
  LCM_STATE.EPILOG_STOP_FAILURE,
  LCM_STATE.EPILOG_UNDEPLOY_FAILURE,
  LCM_STATE.PROLOG_MIGRATE_POWEROFF_FAILURE,
  LCM_STATE.PROLOG_MIGRATE_SUSPEND_FAILURE,
  LCM_STATE.BOOT_UNDEPLOY_FAILURE,
  LCM_STATE.BOOT_STOPPED_FAILURE,
  LCM_STATE.PROLOG_RESUME_FAILURE,
  LCM_STATE.PROLOG_UNDEPLOY_FAILURE,
);
const STOPPED = resting(VM_STATE.SUSPENDED, VM_STATE.POWEROFF, VM_STATE.STOPPED, VM_STATE.UNDEPLOYED);
const WAITING = resting(VM_STATE.PENDING, VM_STATE.HOLD, VM_STATE.CLONING, VM_STATE.CLONING_FAILURE);

const terminate = (action: number): readonly Course[] => [
  course(active(RUNNING), [phase(LCM_STATE.SHUTDOWN, 'terminate'), EPILOG], [VM_STATE.DONE, 0], action),
  course([...STOPPED, ...FAILURES, ...active(UNKNOWN)], [EPILOG], [VM_STATE.DONE, 0], action),
  course(WAITING, [], [VM_STATE.DONE, 0], action),
];
const powerOff = (action: number): readonly Course[] => [
  course(active(RUNNING, UNKNOWN), [phase(LCM_STATE.SHUTDOWN_POWEROFF, 'poweroff')], [VM_STATE.POWEROFF, 0], action),
];
const undeploy: readonly Course[] = [
  course(active(RUNNING, UNKNOWN), [phase(LCM_STATE.SHUTDOWN_UNDEPLOY, 'poweroff'), EPILOG_UNDEPLOY], [VM_STATE.UNDEPLOYED, 0], ACTION.UNDEPLOY),
  course(resting(VM_STATE.POWEROFF), [EPILOG_UNDEPLOY], [VM_STATE.UNDEPLOYED, 0], ACTION.UNDEPLOY),
];
const bootPhase = (lcm: number, back: Phase['failed']): Phase => phase(lcm, 'resume', back);
const move = (lcm: number, failure: number): Phase => phase(lcm, 'deploy', [VM_STATE.ACTIVE, failure]);

/** A cold migration by the state it begins in; a live one is short (DispatchManagerActions.cc migrate, live_migrate). */
const migrate: readonly Course[] = [
  course(
    active(RUNNING, UNKNOWN),
    [
      phase(LCM_STATE.SAVE_MIGRATE, 'suspend'),
      move(LCM_STATE.PROLOG_MIGRATE, LCM_STATE.PROLOG_MIGRATE_FAILURE),
      phase(LCM_STATE.BOOT_MIGRATE, 'resume', [VM_STATE.ACTIVE, LCM_STATE.BOOT_MIGRATE_FAILURE]),
    ],
    RUNS,
    ACTION.MIGRATE,
  ),
  course(
    resting(VM_STATE.POWEROFF),
    [move(LCM_STATE.PROLOG_MIGRATE_POWEROFF, LCM_STATE.PROLOG_MIGRATE_POWEROFF_FAILURE)],
    [VM_STATE.POWEROFF, 0],
    ACTION.MIGRATE,
  ),
  course(
    resting(VM_STATE.SUSPENDED),
    [move(LCM_STATE.PROLOG_MIGRATE_SUSPEND, LCM_STATE.PROLOG_MIGRATE_SUSPEND_FAILURE)],
    [VM_STATE.SUSPENDED, 0],
    ACTION.MIGRATE,
  ),
];

const COURSES: Readonly<Record<string, readonly Course[]>> = {
  suspend: [course(active(RUNNING), [phase(LCM_STATE.SAVE_SUSPEND, 'suspend')], [VM_STATE.SUSPENDED, 0], ACTION.SUSPEND)],
  stop: [
    course(active(RUNNING), [phase(LCM_STATE.SAVE_STOP, 'stop'), EPILOG_STOP], [VM_STATE.STOPPED, 0], ACTION.STOP),
    course(resting(VM_STATE.SUSPENDED), [EPILOG_STOP], [VM_STATE.STOPPED, 0], ACTION.STOP),
  ],
  poweroff: powerOff(ACTION.POWEROFF),
  'poweroff-hard': powerOff(ACTION.POWEROFF_HARD),
  undeploy,
  'undeploy-hard': undeploy,
  resume: [
    course(resting(VM_STATE.POWEROFF), [bootPhase(LCM_STATE.BOOT_POWEROFF, [VM_STATE.POWEROFF, 0])], RUNS, ACTION.RESUME),
    course(resting(VM_STATE.SUSPENDED), [bootPhase(LCM_STATE.BOOT_SUSPENDED, [VM_STATE.SUSPENDED, 0])], RUNS, ACTION.RESUME),
    course(active(UNKNOWN), [bootPhase(LCM_STATE.BOOT_UNKNOWN, [VM_STATE.ACTIVE, UNKNOWN])], RUNS, ACTION.RESUME),
    course(resting(VM_STATE.STOPPED, VM_STATE.UNDEPLOYED), [], [VM_STATE.PENDING, 0], ACTION.RESUME),
  ],
  hold: [course(resting(VM_STATE.PENDING), [], [VM_STATE.HOLD, 0], ACTION.HOLD)],
  release: [course(resting(VM_STATE.HOLD), [], [VM_STATE.PENDING, 0], ACTION.RELEASE)],
  reboot: [course(active(RUNNING), [], RUNS, 0)],
  'reboot-hard': [course(active(RUNNING), [], RUNS, 0)],
  terminate: terminate(ACTION.TERMINATE),
  'terminate-hard': terminate(ACTION.TERMINATE_HARD),
};

/** Ways that one.vm.action does not know: one.vm.migrate and one.vm.recover take them. */
const OTHER_COURSES: Readonly<Record<string, readonly Course[]>> = {
  migrate,
  'live-migrate': [course(active(RUNNING), [phase(LCM_STATE.MIGRATE, 'resume')], RUNS, ACTION.LIVE_MIGRATE)],
  'retry-epilog': [
    course(active(LCM_STATE.EPILOG_FAILURE), [EPILOG], [VM_STATE.DONE, 0], 0),
    course(active(LCM_STATE.EPILOG_STOP_FAILURE), [EPILOG_STOP], [VM_STATE.STOPPED, 0], 0),
    course(active(LCM_STATE.EPILOG_UNDEPLOY_FAILURE), [EPILOG_UNDEPLOY], [VM_STATE.UNDEPLOYED, 0], 0),
  ],
};

/** From wherever it is; nothing is copied back (DispatchManager::delete_vm). */
const RECOVER_DELETE = course([], [phase(LCM_STATE.CLEANUP_DELETE, 'epilog')], [VM_STATE.DONE, 0], ACTION.DELETE);

export function isKnownAction(action: string): boolean {
  return Object.hasOwn(COURSES, action);
}

/** The way this verb takes from here; undefined when it is not available in this state. */
export function courseFrom(action: string | undefined, state: number, lcm: number): Course | undefined {
  if (action === 'recover-delete') return RECOVER_DELETE;
  const ways = COURSES[action ?? ''] ?? OTHER_COURSES[action ?? ''];
  return ways?.find((candidate) => candidate.from.some(([from, fromLcm]) => from === state && fromLcm === lcm));
}

export function isActionAvailable(action: string, vm: Vm): boolean {
  return courseFrom(action, vm.state, vm.lcmState) !== undefined;
}
