import type { RepositoryErrorCode } from '@onevault/backup-format';
import { errorCode, isAbort, isBaseError } from '@onevault/base';
import type { CompositionErrorCode } from '@onevault/composition';
import type { OneErrorCode } from '@onevault/one-client';
import type { JobErrorCode } from '@onevault/orchestrator';
import type { ServerErrorCode } from '../errors.ts';

type Code = OneErrorCode | JobErrorCode | RepositoryErrorCode | CompositionErrorCode | ServerErrorCode;

/** What may be over by the next try, though the error by itself does not say so: somebody else was at work, or OpenNebula failed at something that it can do. */
const WORTH_ANOTHER_TRY: ReadonlySet<string> = new Set<Code>([
  'ONE_ACTION',
  'ONE_TIMEOUT',
  'ONE_UNREACHABLE',
  'ONE_HTTP_STATUS',
  'ONE_INTERNAL',
  'ONE_WAIT_TIMEOUT',
  'ONE_WAIT_FAILED_STATE',
  'JOB_EFFECT_MISSING',
  'JOB_IMAGE_BROKEN',
  'JOB_VM_BUSY',
  'JOB_DISK_CHANGED',
  'JOB_OUTCOME_UNKNOWN',
  'JOB_CLEANUP_FAILED',
  'JOB_JOURNAL_FAILED',
  'REPO_LOCKED',
  'REPO_LOCK_LOST',
  'REPO_UNREACHABLE',
  'REPO_STORE_FAILED',
  'REPO_NO_SPACE',
  'CLI_VM_IN_USE',
  'SERVER_COMMAND_FAILED',
]);

/** Kinds that stop a VM or change what a person looked at: whoever asked decides whether it is to be done again. */
const ONCE: ReadonlySet<string> = new Set(['restore-in-place', 'undo', 'snapshot-revert', 'snapshot-delete', 'recover']);

export function mayComeAgain(kind: string): boolean {
  return !ONCE.has(kind);
}

/** Whether the same again has a chance. What nobody has thought of, a defect of ours above all, has none: it would fail the same way at night, every night. */
export function isWorthAnotherTry(error: unknown): boolean {
  const primary = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
  if (isAbort(primary)) return false;
  if (isBaseError(primary) && primary.retryable) return true;
  const code = errorCode(primary) ?? '';
  return WORTH_ANOTHER_TRY.has(code) || code.startsWith('ATTACH_');
}
