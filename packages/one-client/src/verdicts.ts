import type { Verdict } from './api.ts';
import { OneError } from './errors.ts';
import type { Image, Vm } from './model.ts';
import { IMAGE_STATE, imageStateName, isDone, isFailed, isPoweredOff, isRunning, isStable, vmStateName } from './states.ts';

/** Ready-made verdicts for `waitForVm` and `waitForImage`. Those for a state throw ONE_WAIT_FAILED_STATE once it can no longer come about. */

/** At rest again: where every disk operation ends, whether it worked or not. Look at its effect next. */
export function vmSettled(vm: Vm): Verdict {
  if (isStable(vm)) return 'done';
  return stillPossible(vm);
}

export const vmRunning = (vm: Vm): Verdict => (isRunning(vm) ? 'done' : stillPossible(vm));
export const vmPoweredOff = (vm: Vm): Verdict => (isPoweredOff(vm) ? 'done' : stillPossible(vm));
export const vmTerminated = (vm: Vm): Verdict => (isDone(vm) ? 'done' : 'wait');

function stillPossible(vm: Vm): Verdict {
  if (!isFailed(vm) && !isDone(vm)) return 'wait';
  throw failed(`VM ${vm.id}`, vmStateName(vm), vm.error);
}

/** Registered and free to use. */
export function imageReady(image: Image | undefined): Verdict {
  if (image === undefined) throw failed('the image', 'deleted', undefined);
  if (image.state === IMAGE_STATE.ERROR) throw failed(`image ${image.id}`, imageStateName(image.state), image.error);
  return image.state === IMAGE_STATE.READY ? 'done' : 'wait';
}

/** Deleted; a deletion that failed leaves the image in ERROR. */
export function imageGone(image: Image | undefined): Verdict {
  if (image === undefined) return 'done';
  if (image.state === IMAGE_STATE.ERROR) throw failed(`image ${image.id}`, imageStateName(image.state), image.error);
  return 'wait';
}

function failed(object: string, lastState: string, reason: string | undefined): OneError {
  return new OneError('ONE_WAIT_FAILED_STATE', `${object} is ${lastState}${reason === undefined ? '' : `: ${reason}`}`, { details: { object, lastState } });
}
