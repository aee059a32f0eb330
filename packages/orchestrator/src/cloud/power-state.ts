import { type CallOptions, errorCode } from '@onevault/base';
import { isDone, isFailed, isPoweredOff, isRunning, isTransient, type Vm, type VmAction, type VmId, vmId, vmStateName } from '@onevault/one-client';
import type { CloudObject } from '../cloud-object.ts';
import { JobError } from '../errors.ts';
import type { CloudDeps } from './cloud-deps.ts';
import { unlessGone } from './gone.ts';
import type { Send } from './send.ts';
import { wasStoppedAgainSince } from './vm-past.ts';
import { settled, whenFree } from './when-free.ts';

type PowerObject = Extract<CloudObject, { readonly kind: 'power' }>;

/** How a guest is stopped. */
export interface StopChoice {
  /** So long it may take to shut itself down. */
  readonly gracefulMs: number;
  /** What then: pull the plug, or give up. */
  readonly hard: boolean;
}

/** An action is answered before the VM moves (the event is queued, src/lcm): so long the old state may still be read. Nothing moved by then: it was lost. */
const REACT_MS = 15_000;

/** Stops a RUNNING VM and answers it as it is in POWEROFF. `send` makes the call that stops it; pulling the plug comes only after one that was accepted. */
export async function stopVm(deps: CloudDeps, id: VmId, choice: StopChoice, send: Send, options: CallOptions = {}): Promise<Vm> {
  const what = `VM ${id} to shut down`;
  const before = await whenFree(deps, id, what, (vm) => act(deps, vm, 'poweroff', isPoweredOff, send), options);
  const vm = await moved(deps, before, isPoweredOff, { ...options, timeoutMs: choice.gracefulMs, what }).catch(tooSlow);
  if (!(vm instanceof Error) && isPoweredOff(vm)) return vm;
  if (!choice.hard) throw notStopped(before, vm, choice);
  options.signal?.throwIfAborted();
  return await pullThePlug(deps, id, options);
}

function tooSlow(error: unknown): Error {
  if (error instanceof Error && errorCode(error) === 'ONE_WAIT_TIMEOUT') return error;
  throw error;
}

/** Allowed from RUNNING and, to end a shutdown that hangs, from SHUTDOWN_POWEROFF (LifeCycleActions.cc): not waited for, therefore. */
async function pullThePlug(deps: CloudDeps, id: VmId, options: CallOptions): Promise<Vm> {
  const before = await deps.cloud.vm(id, options);
  await act(deps, before, 'poweroff-hard', isPoweredOff, plainly).catch((error: unknown) => {
    // It may have gone down by itself between our look and our call; whatever else was refused shows itself below.
    if (errorCode(error) !== 'ONE_ACTION') throw error;
  });
  const vm = await moved(deps, before, isPoweredOff, { ...options, timeoutMs: deps.patience.actionMs, what: `VM ${id} to be switched off` });
  if (isPoweredOff(vm)) return vm;
  throw notStopped(before, vm, undefined);
}

const plainly: Send = (call) => call();

/** Answers the VM as it was right before the call; one that is already there is not told again. */
async function act(deps: CloudDeps, vm: Vm, action: VmAction, reached: (vm: Vm) => boolean, send: Send): Promise<Vm> {
  if (!reached(vm)) await send(() => deps.cloud.vmAction(vm.id, action));
  return vm;
}

/** Waits until an action that was accepted has led somewhere: to where it should, back to where it began, or nowhere at all. */
function moved(
  deps: CloudDeps,
  before: Vm,
  reached: (vm: Vm) => boolean,
  options: CallOptions & { readonly timeoutMs: number; readonly what: string },
): Promise<Vm> {
  const quietUntilMs = deps.clock.monotonicMs() + REACT_MS;
  let left = false;
  return deps.cloud.waitForVm(
    before.id,
    (vm) => {
      if (reached(vm) || isDone(vm) || isFailed(vm)) return 'done';
      if (isTransient(vm)) {
        left ||= vm.lcmState !== before.lcmState;
        return 'wait';
      }
      const elsewhere = left || vm.state !== before.state || vm.error !== before.error;
      return elsewhere || deps.clock.monotonicMs() >= quietUntilMs ? 'done' : 'wait';
    },
    options,
  );
}

/**
 * Brings a VM that we stopped back to what it was. Answers whether there was anything to do: a VM that somebody has since started (and be it stopped
 * again), suspended, undeployed or ended is theirs and is left alone. Idempotent. A stop that was asked for and has not begun yet is waited for: it would come after us.
 */
export async function bringBack(deps: CloudDeps, object: PowerObject): Promise<boolean> {
  const id = vmId(object.vmId);
  const what = `start of VM ${object.vmId}`;
  const found = await unlessGone(settled(deps, id, what, { timeoutMs: deps.patience.startMs, mayBeDone: true }));
  const vm = found !== undefined && isRunning(found) ? await afterLateStop(deps, found, what) : found;
  if (vm === undefined || !isPoweredOff(vm) || wasStoppedAgainSince(vm, object.seq)) return false;
  const before = await whenFree(deps, id, what, (now) => act(deps, now, 'resume', (seen) => !isPoweredOff(seen), plainly));
  const after = await moved(deps, before, isRunning, { timeoutMs: deps.patience.startMs, what: `VM ${id} to run again` });
  if (isPoweredOff(after) || isFailed(after)) throw notStarted(before, after);
  return true;
}

async function afterLateStop(deps: CloudDeps, running: Vm, what: string): Promise<Vm | undefined> {
  const quietUntilMs = deps.clock.monotonicMs() + REACT_MS;
  await deps.cloud.waitForVm(running.id, (vm) => (isRunning(vm) && deps.clock.monotonicMs() < quietUntilMs ? 'wait' : 'done'), {
    timeoutMs: REACT_MS * 2,
    what,
  });
  return await unlessGone(settled(deps, running.id, what, { timeoutMs: deps.patience.startMs, mayBeDone: true }));
}

function notStopped(before: Vm, now: Vm | Error, choice: StopChoice | undefined): JobError {
  const vm = now instanceof Error ? undefined : now;
  const why = vm?.error !== undefined && vm.error !== before.error ? `: ${vm.error}` : '';
  const ended =
    vm === undefined ? `has not shut down within ${Math.round((choice?.gracefulMs ?? 0) / 1000)} s` : `is ${vmStateName(vm)} after it was told to stop`;
  return new JobError({
    code: 'JOB_VM_NOT_STOPPED',
    message: `VM ${before.id} '${before.name}' ${ended}${why}`,
    details: { vmId: before.id, ...(vm && { state: vmStateName(vm) }) },
    hint: 'give the guest more time (--stop-timeout), shut it down by hand first, or allow pulling the plug (--hard)',
    ...(now instanceof Error && { cause: now }),
  });
}

function notStarted(before: Vm, after: Vm): JobError {
  const why = after.error !== undefined && after.error !== before.error ? `: ${after.error}` : '';
  return new JobError({
    code: 'JOB_VM_NOT_STARTED',
    message: `VM ${after.id} '${after.name}' was stopped by us and does not come up again, it is ${vmStateName(after)}${why}`,
    details: { vmId: after.id, state: vmStateName(after) },
    hint: `start it with onevm resume ${after.id}; its log on the front-end (/var/log/one/${after.id}.log) says what keeps it down`,
  });
}
