import { BaseError } from '@onevault/base';

export type ServerErrorCode =
  /** Nothing there, or nothing that the caller may see: the same to them. */
  | 'SERVER_NOT_FOUND'
  | 'SERVER_REQUEST_INVALID'
  | 'SERVER_SETTINGS_INVALID'
  | 'SERVER_SETTINGS_CONFLICT'
  | 'SERVER_NOT_SIGNED_IN'
  | 'SERVER_SIGN_IN_FAILED'
  | 'SERVER_FORBIDDEN'
  | 'SERVER_CSRF'
  | 'SERVER_TOO_MANY_REQUESTS'
  | 'SERVER_BUSY'
  /** What was asked (the cloud, a repository) has not answered in time. */
  | 'SERVER_TIMEOUT'
  | 'SERVER_IDEMPOTENCY_CONFLICT'
  | 'SERVER_STATE_UNUSABLE'
  | 'SERVER_HANDLERS_INCOMPLETE'
  /** A channel refused what was to be told, or did not answer. */
  | 'SERVER_NOTIFICATION_FAILED'
  | 'SERVER_LISTEN_REFUSED'
  /** A command of the policy failed, or took too long. */
  | 'SERVER_COMMAND_FAILED'
  /** The worker of a run that is not done again by itself was not heard of again; what it had begun was taken back. */
  | 'SERVER_WORKER_LOST'
  /** A worker does not understand what a run is to do: its order was written by another version. */
  | 'SERVER_ORDER_INVALID'
  /** The window of the policy ended while the run was at work. */
  | 'SERVER_WINDOW_ENDED'
  /** A check found damage. */
  | 'SERVER_DAMAGE_FOUND'
  /** The restored VM of a drill did not show that it lives. */
  | 'SERVER_DRILL_FAILED'
  | 'SERVER_INTERNAL';

/** What the server refuses, or cannot do. How each is answered over HTTP is in http/error-statuses.ts. */
export class ServerError extends BaseError<ServerErrorCode> {}

/** One answer for what does not exist and for what the caller may not see, so that neither can be told from the other. */
export function notFound(what: string): ServerError {
  return new ServerError({ code: 'SERVER_NOT_FOUND', message: `there is no such ${what}`, hint: 'Check the name or id; what you may not USE is not shown' });
}
