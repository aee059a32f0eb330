import { BaseError } from '@onevault/base';

export type JobErrorCode =
  | 'JOB_PLAN_EMPTY'
  | 'JOB_PLAN_REFUSED'
  | 'JOB_EFFECT_MISSING'
  | 'JOB_VM_BUSY'
  | 'JOB_VM_GONE'
  | 'JOB_DISK_CHANGED'
  | 'JOB_OBJECT_CHANGED'
  | 'JOB_IMAGE_BROKEN'
  | 'JOB_DEVICE_MISMATCH'
  | 'JOB_DATASTORE_INVALID'
  | 'JOB_NETWORK_INVALID'
  | 'JOB_RESTORE_REFUSED'
  | 'JOB_RESTORE_MISMATCH'
  | 'JOB_DEVICE_NOT_EMPTY'
  | 'JOB_VM_NOT_STARTED'
  | 'JOB_VM_NOT_STOPPED'
  | 'JOB_SNAPSHOT_UNKNOWN'
  | 'JOB_SNAPSHOT_AMBIGUOUS'
  | 'JOB_SNAPSHOT_REFUSED'
  | 'JOB_SNAPSHOT_POLICY_INVALID'
  | 'JOB_REVERT_INCOMPLETE'
  | 'JOB_OUTCOME_UNKNOWN'
  | 'JOB_DRILL_REFUSED'
  | 'JOB_DRILL_NO_LIFE'
  | 'JOB_METADATA_INVALID'
  | 'JOB_DISK_UNKNOWN'
  | 'JOB_NAME_INVALID'
  | 'JOB_NAME_TAKEN'
  | 'JOB_JOURNAL_FAILED'
  | 'JOB_CLEANUP_FAILED';

/** What goes wrong in a workflow itself; errors of the capabilities pass through as they are. */
export class JobError extends BaseError<JobErrorCode> {}
