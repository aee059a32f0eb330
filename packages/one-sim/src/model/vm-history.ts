import { vmStateText } from './states.ts';
import type { Vm } from './world-schema.ts';

/** A stretch in which a driver kept the guest from running or from writing. */
export interface GuestPause {
  /** `suspended`: the whole guest stood still (virsh suspend); `frozen`: its filesystems did (virsh domfsfreeze). */
  readonly how: 'suspended' | 'frozen';
  readonly why: 'snapshot' | 'saveas';
  readonly disk: number;
  /** Copied while it lasted: more than 0 is a whole disk. */
  readonly bytes: number;
  readonly ms: number;
}

/** What became of a VM since this simulator started; the watchdogs of tests read it. */
export interface VmHistory {
  /** Every state it entered, in order; the first is the one it was found in. */
  readonly states: readonly string[];
  readonly pauses: readonly GuestPause[];
  /** What a driver's hazard did to the guest's data or to its snapshots, in words. */
  readonly harm: readonly string[];
}

interface Recording {
  readonly states: string[];
  readonly pauses: GuestPause[];
  readonly harm: string[];
}

/** A test that goes on for ever keeps the newest. */
const KEPT = 10_000;
const recordings = new WeakMap<Vm, Recording>();

function recordingOf(vm: Vm): Recording {
  let recording = recordings.get(vm);
  if (!recording) {
    recording = { states: [], pauses: [], harm: [] };
    recordings.set(vm, recording);
  }
  return recording;
}

/** Notes the state the VM is in now; `before` is the one it leaves, for a VM that was not watched yet. */
export function noteState(vm: Vm, before?: { readonly state: number; readonly lcmState: number }): void {
  const { states } = recordingOf(vm);
  if (states.length === 0 && before) states.push(vmStateText(before));
  const text = vmStateText(vm);
  if (states.at(-1) !== text) keep(states, text);
}

export function notePause(vm: Vm, pause: GuestPause): void {
  keep(recordingOf(vm).pauses, pause);
}

export function noteHarm(vm: Vm, text: string): void {
  keep(recordingOf(vm).harm, text);
}

export function historyOf(vm: Vm): VmHistory {
  noteState(vm);
  return structuredClone(recordingOf(vm));
}

function keep<T>(list: T[], entry: T): void {
  list.push(entry);
  if (list.length > KEPT) list.shift();
}
