import { BaseError } from '@onevault/base';

/** What goes wrong in the command itself; errors of the packages pass through as they are; CompositionError has CLI_ codes too. */
export type CliErrorCode =
  | 'CLI_USAGE'
  | 'CLI_VM_NOT_FOUND'
  | 'CLI_VM_AMBIGUOUS'
  | 'CLI_SNAPSHOT_NOT_FOUND'
  | 'CLI_POINT_NOT_FOUND'
  | 'CLI_POINT_AMBIGUOUS'
  | 'CLI_HOLD_NOT_FOUND'
  | 'CLI_PLAN_FILE_INVALID'
  | 'CLI_OUTPUT_FAILED'
  | 'CLI_TOKEN_UNREADABLE'
  | 'CLI_SERVER_UNSET'
  | 'CLI_NOT_THROUGH_SERVER'
  | 'CLI_RUN_SKIPPED'
  | 'CLI_SIM_FAILED'
  | 'CLI_DEMO_MISMATCH';

export class CliError extends BaseError<CliErrorCode> {}

/** An argument that cannot be understood. */
export function usageError(message: string, hint?: string, cause?: unknown): CliError {
  return new CliError({ code: 'CLI_USAGE', message, ...(hint !== undefined && { hint }), ...(cause !== undefined && { cause }) });
}
