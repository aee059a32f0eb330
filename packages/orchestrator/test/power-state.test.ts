import { FakeClock } from '@onevault/base/testing';
import { LCM_STATE, type OneApi, OneError, VM_STATE, type Vm, type VmAction } from '@onevault/one-client';
import { describe, expect, it } from 'vitest';
import type { CloudDeps } from '../src/cloud/cloud-deps.ts';
import { bringBack, stopVm } from '../src/cloud/power-state.ts';
import { DEFAULT_PATIENCE } from '../src/index.ts';
import { buildVm } from '../testing/index.ts';

const RUNNING = { state: VM_STATE.ACTIVE, lcmState: LCM_STATE.RUNNING };
const SHUTTING_DOWN = { state: VM_STATE.ACTIVE, lcmState: 18 };
const BOOTING = { state: VM_STATE.ACTIVE, lcmState: 20 };
const POWEROFF = { state: VM_STATE.POWEROFF, lcmState: 0 };
const SUSPENDED = { state: VM_STATE.SUSPENDED, lcmState: 0 };

type Facts = Partial<Vm>;
/** After an action: what the VM is from so many ms on. */
type Course = readonly (readonly [afterMs: number, facts: Facts])[];

const DOWN: Course = [
  [800, SHUTTING_DOWN],
  [3_000, POWEROFF],
];
const UP: Course = [
  [800, BOOTING],
  [3_000, RUNNING],
];

/** One VM that answers an action at once and moves later, as oned's does. */
class OneVm {
  readonly clock = new FakeClock({ auto: true });
  readonly actions: VmAction[] = [];
  readonly #courses: Readonly<Partial<Record<VmAction, Course | Error>>>;
  #timeline: { readonly atMs: number; readonly facts: Facts }[];

  constructor(start: Facts, courses: Readonly<Partial<Record<VmAction, Course | Error>>>) {
    this.#courses = courses;
    this.#timeline = [{ atMs: 0, facts: start }];
  }

  /** By nobody's order of ours. */
  later(afterMs: number, facts: Facts): this {
    this.#timeline.push({ atMs: this.clock.monotonicMs() + afterMs, facts });
    return this;
  }

  get now(): Vm {
    const passed = this.#timeline.filter(({ atMs }) => atMs <= this.clock.monotonicMs());
    return buildVm(Object.assign({}, ...passed.map(({ facts }) => facts)) as Facts);
  }

  get deps(): CloudDeps {
    const api: Partial<OneApi> = {
      vm: async () => this.now,
      vmAction: async (_, action) => {
        this.actions.push(action);
        const course = this.#courses[action];
        if (course instanceof Error) throw course;
        const from = this.clock.monotonicMs();
        // A later order overrides what an earlier one was still to bring.
        this.#timeline = this.#timeline.filter(({ atMs }) => atMs <= from);
        for (const [afterMs, facts] of course ?? []) this.#timeline.push({ atMs: from + afterMs, facts });
      },
      waitForVm: async (_, verdict, { timeoutMs, what }) => {
        const untilMs = this.clock.monotonicMs() + timeoutMs;
        for (;;) {
          if (verdict(this.now) === 'done') return this.now;
          if (this.clock.monotonicMs() >= untilMs) throw new OneError('ONE_WAIT_TIMEOUT', `waited for ${what}`);
          await this.clock.sleep(500);
        }
      },
    };
    return { cloud: api as OneApi, clock: this.clock, patience: DEFAULT_PATIENCE };
  }
}

const id = buildVm().id;
const plainly = <T>(call: () => Promise<T>): Promise<T> => call();
const graceful = { gracefulMs: 60_000, hard: false };
const refusal = new OneError('ONE_ACTION', 'This action is not available for state RUNNING');

describe('stopping a VM', () => {
  it('waits through the moment in which the answer is there and the VM still reads RUNNING', async () => {
    const vm = new OneVm(RUNNING, { poweroff: DOWN });
    expect((await stopVm(vm.deps, id, graceful, plainly)).state).toBe(VM_STATE.POWEROFF);
    expect(vm.actions).toEqual(['poweroff']);
  });

  it('that is down already by itself tells it nothing', async () => {
    const vm = new OneVm(POWEROFF, {});
    await stopVm(vm.deps, id, graceful, plainly);
    expect(vm.actions).toEqual([]);
  });

  it('gives up when the guest does not listen in time, and says how to go on', async () => {
    const vm = new OneVm(RUNNING, { poweroff: [[500, SHUTTING_DOWN]] });
    await expect(stopVm(vm.deps, id, graceful, plainly)).rejects.toMatchObject({ code: 'JOB_VM_NOT_STOPPED', hint: expect.stringContaining('--hard') });
    expect(vm.clock.monotonicMs()).toBeLessThan(90_000);
  });

  it('gives up at once when OpenNebula does, and tells its reason', async () => {
    const back: Course = [
      [500, SHUTTING_DOWN],
      [5_000, { ...RUNNING, error: 'Fri Nov 27: POWEROFF: guest agent is sulking' }],
    ];
    const vm = new OneVm(RUNNING, { poweroff: back });
    await expect(stopVm(vm.deps, id, graceful, plainly)).rejects.toMatchObject({ message: expect.stringContaining('guest agent is sulking') });
    expect(vm.clock.monotonicMs()).toBeLessThan(20_000);
  });

  it('gives up when the order was lost', async () => {
    const vm = new OneVm(RUNNING, { poweroff: [] });
    await expect(stopVm(vm.deps, id, graceful, plainly)).rejects.toMatchObject({ code: 'JOB_VM_NOT_STOPPED' });
  });

  it.each<[string, Course]>([
    ['still shuts down', [[500, SHUTTING_DOWN]]],
    [
      'is back to RUNNING',
      [
        [500, SHUTTING_DOWN],
        [2_000, RUNNING],
      ],
    ],
  ])('with hard pulls the plug of one that %s', async (_, poweroff) => {
    const vm = new OneVm(RUNNING, { poweroff, 'poweroff-hard': [[700, POWEROFF]] });
    expect((await stopVm(vm.deps, id, { gracefulMs: 60_000, hard: true }, plainly)).state).toBe(VM_STATE.POWEROFF);
    expect(vm.actions).toEqual(['poweroff', 'poweroff-hard']);
  });

  it('tells of only one call that could have stopped it', async () => {
    const vm = new OneVm(RUNNING, { poweroff: [[500, SHUTTING_DOWN]], 'poweroff-hard': refusal });
    let sent = 0;
    const counted = <T>(call: () => Promise<T>): Promise<T> => {
      sent++;
      return call();
    };
    await expect(stopVm(vm.deps, id, { gracefulMs: 5_000, hard: true }, counted)).rejects.toMatchObject({ code: expect.any(String) });
    expect(sent).toBe(1);
  });
});

describe('bringing back a VM that was RUNNING', () => {
  const power = { kind: 'power', vmId: id, was: 'RUNNING', seq: 0 } as const;

  it('starts it when it is down', async () => {
    const vm = new OneVm(POWEROFF, { resume: UP });
    expect(await bringBack(vm.deps, power)).toBe(true);
    expect(vm.now).toMatchObject(RUNNING);
  });

  it('waits for a shutdown that is under way', async () => {
    const vm = new OneVm(SHUTTING_DOWN, { resume: UP }).later(40_000, POWEROFF);
    expect(await bringBack(vm.deps, power)).toBe(true);
    expect(vm.now).toMatchObject(RUNNING);
  });

  it('waits for a shutdown that was asked for and has not begun', async () => {
    const vm = new OneVm(RUNNING, { resume: UP }).later(4_000, SHUTTING_DOWN).later(9_000, POWEROFF);
    expect(await bringBack(vm.deps, power)).toBe(true);
    expect(vm.now).toMatchObject(RUNNING);
  });

  it('leaves one alone that runs and goes on running', async () => {
    const vm = new OneVm(RUNNING, {});
    expect(await bringBack(vm.deps, power)).toBe(false);
    expect(vm.actions).toEqual([]);
  });

  it.each<[string, Facts]>([
    ['suspended', SUSPENDED],
    ['undeployed', { state: VM_STATE.UNDEPLOYED, lcmState: 0 }],
    ['terminated', { state: VM_STATE.DONE, lcmState: 0 }],
  ])('leaves one alone that somebody %s since', async (_, facts) => {
    const vm = new OneVm(facts, {});
    expect(await bringBack(vm.deps, power)).toBe(false);
    expect(vm.actions).toEqual([]);
  });

  it('leaves one alone that somebody started since, and stopped again on purpose', async () => {
    const [record] = buildVm().history;
    const past = (...actions: number[]): Facts => ({ ...POWEROFF, history: actions.flatMap((action, seq) => (record ? [{ ...record, seq, action }] : [])) });
    // Stopped by us, two disks reverted, started, stopped again: only the third record ended without a number of its own.
    const theirs = new OneVm(past(41, 41, 19, 19), {});
    expect(await bringBack(theirs.deps, power)).toBe(false);
    expect(theirs.actions).toEqual([]);
    // Nobody started it; or we did, in vain.
    for (const actions of [[41, 25, 21, 19], [19], [41, 19, 11]]) {
      const ours = new OneVm(past(...actions), { resume: UP });
      expect(await bringBack(ours.deps, power), actions.join()).toBe(true);
    }
  });

  it('says why it does not come up again', async () => {
    const failing: Course = [
      [500, BOOTING],
      [2_000, { ...POWEROFF, error: 'Fri Nov 27: DEPLOY: no memory' }],
    ];
    const vm = new OneVm(POWEROFF, { resume: failing });
    await expect(bringBack(vm.deps, power)).rejects.toMatchObject({ code: 'JOB_VM_NOT_STARTED', message: expect.stringContaining('no memory') });
  });

  it('passes on a refusal, such as that of a quota', async () => {
    const vm = new OneVm(POWEROFF, { resume: refusal });
    await expect(bringBack(vm.deps, power)).rejects.toBe(refusal);
  });
});
