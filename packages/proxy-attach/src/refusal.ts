import { isBaseError } from '@onevault/base';

/**
 * What OpenNebula's answer to attach or detach means for the next step. `unanswered` is everything that is not an answer (a lost connection, a
 * timeout, an abort): the call may or may not have been carried out, so only the effect can tell. `unsent`: it certainly was not.
 */
export type Refusal = 'target-taken' | 'busy' | 'no-such-disk' | 'refused' | 'unanswered' | 'unsent';

/**
 * Sorts an error of HotplugApi. oned has one code (2048) for every refused action and tells them apart by text only: `Target vdx is already in use.`,
 * `Could not attach a new disk to VM 9, wrong state HOTPLUG.`, `Could not detach disk with DISK_ID 7, it does not exist.`, since 7.4
 * `VM disk does not exist` (DispatchManagerActions.cc, VirtualMachineDisk.cc).
 */
export function classifyRefusal(error: unknown): Refusal {
  if (!isBaseError(error)) return 'unanswered';
  if (!isAnswer(error.details)) return wasNotSent(error.details) ? 'unsent' : 'unanswered';
  if (/\bTarget \S+ is already in use/i.test(error.message)) return 'target-taken';
  if (/\bwrong state\b/i.test(error.message)) return 'busy';
  if (/\b(?:DISK_ID \d+, it|VM disk) does not exist/i.test(error.message)) return 'no-such-disk';
  return 'refused';
}

/** one-client puts oned's numeric error code into `details.oneCode` of every error that oned answered. */
function isAnswer(details: object): boolean {
  return 'oneCode' in details && typeof details.oneCode === 'number';
}

/** one-client's `details.executed`: a connection that was never made carried nothing. */
function wasNotSent(details: object): boolean {
  return 'executed' in details && details.executed === 'no';
}
