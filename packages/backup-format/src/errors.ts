import { BaseError, type ErrorFacts } from '@onevault/base';

export type RepositoryErrorCode =
  | 'REPO_NOT_FOUND'
  | 'REPO_PATH_INVALID'
  | 'REPO_URL_INVALID'
  | 'REPO_BUCKET_MISSING'
  | 'REPO_REGION_WRONG'
  | 'REPO_CREDENTIALS_INVALID'
  | 'REPO_ACCESS_DENIED'
  | 'REPO_UNREACHABLE'
  | 'REPO_CLOCK_SKEWED'
  | 'REPO_EXISTS'
  | 'REPO_NOT_EMPTY'
  | 'REPO_NOT_WRITABLE'
  | 'REPO_NO_SPACE'
  | 'REPO_UNSUPPORTED_VERSION'
  | 'REPO_CONFIG_INVALID'
  | 'REPO_OBJECT_MISSING'
  | 'REPO_OBJECT_EXISTS'
  | 'REPO_OBJECT_TRUNCATED'
  | 'REPO_OBJECT_LOCKED'
  | 'REPO_CHUNK_CORRUPT'
  | 'REPO_CHUNK_MISSING'
  | 'REPO_PACK_INVALID'
  | 'REPO_INDEX_INVALID'
  | 'REPO_PAGE_CORRUPT'
  | 'REPO_MANIFEST_INVALID'
  | 'REPO_KEY_INVALID'
  | 'REPO_KEY_REQUIRED'
  | 'REPO_KEY_REJECTED'
  | 'REPO_KEY_LAST'
  | 'REPO_KEY_NOT_FOUND'
  | 'REPO_SECRET_INVALID'
  | 'REPO_NOT_ENCRYPTED'
  | 'REPO_LEASE_INVALID'
  | 'REPO_LOCKED'
  | 'REPO_LOCK_LOST'
  | 'REPO_LISTING_INCOMPLETE'
  | 'REPO_MARK_INVALID'
  | 'REPO_VERIFY_RECORD_INVALID'
  | 'REPO_GC_RECORD_INVALID'
  | 'REPO_DRILL_RECORD_INVALID'
  | 'REPO_POINT_NOT_FOUND'
  | 'REPO_POINT_AMBIGUOUS'
  | 'REPO_POINT_HELD'
  | 'REPO_POINT_LAST_GOOD'
  | 'REPO_HOLD_NOT_FOUND'
  | 'REPO_DISK_NOT_FOUND'
  | 'REPO_METADATA_NOT_FOUND'
  | 'REPO_RUNS_INVALID'
  | 'REPO_COPY_INCOMPATIBLE'
  | 'REPO_RETENTION_EMPTY'
  | 'REPO_RETENTION_INVALID'
  | 'REPO_TIMEZONE_UNKNOWN'
  | 'REPO_TOO_LARGE'
  | 'REPO_STORE_FAILED';

/** What an error of the repository may say of the place it is about; every field that is known is set. */
export interface RepositoryErrorDetails {
  /** Key of the object in the store. */
  readonly key?: string;
  /** Byte range inside that object, or of the disk when `diskKey` is set. */
  readonly offset?: number;
  readonly length?: number;
  readonly pointId?: string;
  readonly diskKey?: string;
  readonly metadata?: string;
  /** Hex digest of the chunk. */
  readonly digest?: string;
  readonly location?: string;
  readonly bucket?: string;
  /** When the lock of an object ends (RFC 3339, UTC). */
  readonly until?: string;
  /** Ids that a prefix could mean. */
  readonly candidates?: readonly string[];
  readonly version?: number;
  /** Of a held point: who keeps it and why. */
  readonly holds?: readonly { readonly id: string; readonly reason: string; readonly by?: string; readonly until?: string }[];
}

/** The only error class of this package; match on `code`. */
export class RepositoryError extends BaseError<RepositoryErrorCode, RepositoryErrorDetails> {
  constructor(facts: ErrorFacts<RepositoryErrorCode, RepositoryErrorDetails>) {
    super(facts);
  }
}

export function isRepositoryError(error: unknown, ...codes: readonly RepositoryErrorCode[]): error is RepositoryError {
  return error instanceof RepositoryError && (codes.length === 0 || codes.includes(error.code));
}

/** Runs a decoder and says in its errors where the bytes came from, which the decoder cannot know. */
export function atPlace<T>(place: RepositoryErrorDetails, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw withPlace(error, place);
  }
}

/** The same error with more said about the place; anything but a RepositoryError is passed through. */
export function withPlace(error: unknown, place: RepositoryErrorDetails): unknown {
  if (!(error instanceof RepositoryError)) return error;
  return new RepositoryError({
    code: error.code,
    message: place.key === undefined || error.message.includes(place.key) ? error.message : `${error.message} (${place.key})`,
    details: { ...error.details, ...place },
    retryable: error.retryable,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error.cause ?? error,
  });
}
