import { BaseError } from '@onevault/base';

/** What stands in the way before any work begins. Older than this package and public: that is why they are called CLI_. */
export type CompositionErrorCode =
  | 'CLI_USAGE'
  | 'CLI_REPOSITORY_UNSET'
  | 'CLI_SECRET_UNREADABLE'
  | 'CLI_STATE_DIR_INVALID'
  | 'CLI_VM_IN_USE'
  | 'CLI_CONSOLE_FAILED'
  | 'CLI_PROBE_FAILED';

export class CompositionError extends BaseError<CompositionErrorCode> {}

/** A setting that cannot be understood. */
export function settingError(message: string, hint?: string): CompositionError {
  return new CompositionError({ code: 'CLI_USAGE', message, ...(hint !== undefined && { hint }) });
}
