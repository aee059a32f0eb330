import type { Cloud } from '../cloud.ts';
import { VM_STATE } from '../model/states.ts';
import { noteState } from '../model/vm-history.ts';
import type { HistoryRecord, Operation, Vm } from '../model/world-schema.ts';
import { setText } from '../template/attributes.ts';

/** oned remembers the state before the last change of each kind; the previous pair equals the current one at rest. */
export function setVmState(vm: Vm, state: number, lcmState = 0): void {
  const before = { state: vm.state, lcmState: vm.lcmState };
  vm.state = state;
  vm.lcmState = lcmState;
  vm.prevState = state;
  vm.prevLcmState = lcmState;
  noteState(vm, before);
}

/** Ends an operation: back to where it began. */
export function returnToStable(vm: Vm, operation: Operation): void {
  const [state, lcmState] = operation.back ?? [VM_STATE.ACTIVE, 3];
  setVmState(vm, state, lcmState);
}

const MAX_ERROR_MESSAGE = 100;

/** USER_TEMPLATE/ERROR or SCHED_MESSAGE: ctime, colon, text cut to 100 characters; ERROR is never cleared (VirtualMachine::set_template_error_message). */
export function setVmMessage(cloud: Cloud, vm: Vm, name: 'ERROR' | 'SCHED_MESSAGE', text: string): void {
  const cut = text.length >= MAX_ERROR_MESSAGE ? `${text.slice(0, MAX_ERROR_MESSAGE)}... see more details in VM log` : text;
  setText(vm.userTemplate, name, `${ctime(cloud.clock.now())}: ${cut}`);
}

export function setVmError(cloud: Cloud, vm: Vm, text: string): void {
  setVmMessage(cloud, vm, 'ERROR', text);
}

/** `Sun Nov 22 07:49:14 2026`, in UTC. */
export function ctime(date: Date): string {
  const [weekday, day, month, year, time] = date.toUTCString().replace(',', '').split(' ');
  return `${weekday} ${month} ${String(Number(day)).padStart(2, ' ')} ${time} ${year}`;
}

/** Closes the current history record with an action and opens a copy (close_cp_history). */
export function copyHistory(cloud: Cloud, vm: Vm, action: number, by: { readonly uid: number; readonly gid: number; readonly requestId: number }): void {
  const last = vm.history.at(-1);
  if (!last) return;
  const now = cloud.now();
  const { action: before, retime } = last;
  if (retime === 0) last.retime = now;
  last.etime = now;
  Object.assign(last, { action, ...by });
  // A VM that does not run keeps the action that stopped it, and its record is closed at once.
  vm.history.push({ ...openRecord(vm, { ...last, stime: now, pstime: 0, petime: 0, rstime: now }), action: before, retime: retime === 0 ? 0 : now });
}

/** A record with its ends open. */
export function openRecord(vm: Vm, base: HistoryRecord): HistoryRecord {
  return { ...base, seq: vm.history.length, etime: 0, retime: 0, estime: 0, eetime: 0, action: 0, uid: -1, gid: -1, requestId: -1 };
}
