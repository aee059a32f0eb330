import { BaseError } from '@onevault/base';

export type QueueErrorCode =
  | 'QUEUE_DATABASE_UNREACHABLE'
  | 'QUEUE_DATABASE_NO_SPACE'
  | 'QUEUE_DATABASE_BUSY'
  | 'QUEUE_DATABASE_FORBIDDEN'
  | 'QUEUE_DATABASE_READ_ONLY'
  | 'QUEUE_DATABASE_MISSING'
  | 'QUEUE_DATABASE_TOO_OLD'
  | 'QUEUE_DATABASE_IN_USE'
  | 'QUEUE_DATABASE_NEWER'
  | 'QUEUE_DATABASE_DAMAGED'
  | 'QUEUE_RUN_NOT_FOUND'
  | 'QUEUE_RUN_ENDED'
  | 'QUEUE_RUN_DEADLY'
  | 'QUEUE_CLAIM_LOST'
  | 'QUEUE_REQUEST_INVALID';

/** The database does not answer, or a run is not what the caller takes it for. */
export class QueueError extends BaseError<QueueErrorCode> {}
