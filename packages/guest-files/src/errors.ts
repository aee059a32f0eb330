import { BaseError } from '@onevault/base';

export type GuestFilesErrorCode =
  | 'FILES_LIBGUESTFS_MISSING'
  | 'FILES_APPLIANCE_FAILED'
  | 'FILES_APPLIANCE_TIMEOUT'
  | 'FILES_APPLIANCE_LOST'
  | 'FILES_APPLIANCE_REFUSED'
  | 'FILES_FILE_SYSTEM_UNKNOWN'
  | 'FILES_FILE_SYSTEM_UNREADABLE'
  | 'FILES_SYSTEM_UNKNOWN'
  | 'FILES_PATH_INVALID'
  | 'FILES_PATH_NOT_FOUND'
  | 'FILES_PATH_KIND'
  | 'FILES_LIMIT_EXCEEDED'
  | 'FILES_TAR_INVALID'
  | 'FILES_TARGET_FAILED';

export interface GuestFilesErrorDetails {
  /** Path inside the guest, escaped (see `escapeName`). */
  readonly path?: string;
  readonly device?: string;
  readonly fileSystemType?: string;
  /** Devices or roots that could have been named. */
  readonly candidates?: readonly string[];
  /** Where something is written on this machine. */
  readonly target?: string;
  readonly limit?: number;
  /** What guestfish or a program inside the appliance said; made of names that others chose, so bounded and escaped. */
  readonly said?: string;
}

/** The only error class of this package; match on `code`. */
export class GuestFilesError extends BaseError<GuestFilesErrorCode, GuestFilesErrorDetails> {}

export function isGuestFilesError(error: unknown, ...codes: readonly GuestFilesErrorCode[]): error is GuestFilesError {
  return error instanceof GuestFilesError && (codes.length === 0 || codes.includes(error.code));
}
