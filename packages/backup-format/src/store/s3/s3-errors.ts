import { errorCode } from '@onevault/base';
import { RepositoryError, type RepositoryErrorCode } from '../../errors.ts';
import { objectExists, objectMissing } from '../object-errors.ts';
import type { ObjectKey } from '../object-store.ts';

/** What was attempted, for the error of it. */
export interface S3Attempt {
  /** `put packs/aa/1`, `list packs/`. */
  readonly what: string;
  readonly key: ObjectKey;
  readonly bucket: string;
  readonly location: string;
  readonly endpoint: string;
}

interface S3Failure {
  /** S3's own code, the name of the error in the SDK. */
  readonly name: string;
  readonly status: number | undefined;
  readonly message: string;
  /** The region that the server would have expected. */
  readonly region: string | undefined;
}

interface Meaning {
  readonly code: RepositoryErrorCode;
  readonly retryable?: boolean;
  readonly hint?: string;
}

const CREDENTIALS: Meaning = {
  code: 'REPO_CREDENTIALS_INVALID',
  hint: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or ONEVAULT_S3_CREDENTIALS_COMMAND; docs/operate/s3.md',
};
const REGION: Meaning = { code: 'REPO_REGION_WRONG', hint: 'name the region of the bucket: ?region=… in the URL, or AWS_REGION' };
const CLOCK: Meaning = {
  code: 'REPO_CLOCK_SKEWED',
  retryable: true,
  hint: 'set the clock of this machine (chrony, systemd-timesyncd): requests carry the time',
};
const FULL: Meaning = { code: 'REPO_NO_SPACE', hint: 'raise the quota or free space; every committed restore point is intact' };
const AGAIN: Meaning = {
  code: 'REPO_STORE_FAILED',
  retryable: true,
  hint: 'the server is busy or in trouble: run again later; every committed restore point is intact',
};

/** By the codes of S3 and of those who speak it (Ceph, MinIO, Garage). */
const BY_NAME: ReadonlyMap<string, Meaning> = new Map([
  ['NoSuchBucket', { code: 'REPO_BUCKET_MISSING', hint: 'make the bucket first, or check its name and the endpoint' }],
  ['InvalidAccessKeyId', CREDENTIALS],
  ['SignatureDoesNotMatch', CREDENTIALS],
  ['ExpiredToken', CREDENTIALS],
  ['InvalidToken', CREDENTIALS],
  ['TokenRefreshRequired', CREDENTIALS],
  ['CredentialsProviderError', CREDENTIALS],
  ['RequestTimeTooSkewed', CLOCK],
  ['RequestExpired', CLOCK],
  ['PermanentRedirect', REGION],
  ['TemporaryRedirect', AGAIN],
  ['AuthorizationHeaderMalformed', REGION],
  ['IllegalLocationConstraintException', REGION],
  ['QuotaExceeded', FULL],
  ['XMinioStorageFull', FULL],
  ['InsufficientStorage', FULL],
  ['SlowDown', AGAIN],
  ['InternalError', AGAIN],
  ['OperationAborted', AGAIN],
  ['ConditionalRequestConflict', AGAIN],
  ['RequestTimeout', AGAIN],
  // The body was damaged or cut on its way to the server.
  ['BadDigest', AGAIN],
  ['IncompleteBody', AGAIN],
  ['XAmzContentSHA256Mismatch', AGAIN],
]);

const BY_STATUS: ReadonlyMap<number, Meaning> = new Map([
  [301, REGION],
  [403, { code: 'REPO_ACCESS_DENIED', hint: 'the credentials are known but lack a right; docs/operate/s3.md has the policy a repository needs' }],
  [408, AGAIN],
  [409, AGAIN],
  [429, AGAIN],
  [500, AGAIN],
  [502, AGAIN],
  [503, AGAIN],
  [504, AGAIN],
  [507, FULL],
]);

/** What an error of the SDK means for a repository; errors of ours pass through. */
export function s3Error(attempt: S3Attempt, cause: unknown): RepositoryError {
  if (cause instanceof RepositoryError) return cause;
  const failure = readFailure(cause);
  // It leads to the request, with a session token in its headers.
  if (cause instanceof Error) Reflect.deleteProperty(cause, '$response');
  const { key, location, bucket } = attempt;
  if (failure.name === 'PreconditionFailed' || failure.status === 412) return objectExists(key, cause);
  if (failure.name === 'NoSuchKey' || (failure.name === 'NotFound' && failure.status === 404)) return objectMissing(key, cause);
  const meaning = BY_NAME.get(failure.name) ?? (failure.status === undefined ? unreachable(attempt, cause) : BY_STATUS.get(failure.status));
  const found = meaning ?? { code: 'REPO_STORE_FAILED' as const };
  return new RepositoryError({
    code: found.code,
    message: messageOf(found.code, attempt, failure),
    details: { key, location, bucket },
    retryable: found.retryable ?? false,
    ...(found.hint !== undefined && { hint: found.hint }),
    cause,
  });
}

/** S3's code where it is told apart from our codes' meanings. */
export function s3Name(error: unknown): string {
  return readFailure(error instanceof RepositoryError ? error.cause : error).name;
}

function messageOf(code: RepositoryErrorCode, attempt: S3Attempt, failure: S3Failure): string {
  const { what, bucket, endpoint, location } = attempt;
  if (code === 'REPO_BUCKET_MISSING') return `there is no bucket ${bucket} at ${endpoint} (could not ${what})`;
  if (code === 'REPO_UNREACHABLE') return `could not reach ${endpoint} to ${what}: ${failure.message}`;
  if (code === 'REPO_REGION_WRONG' && failure.region !== undefined) return `the bucket ${bucket} is in the region ${failure.region} (could not ${what})`;
  const answer = failure.message === '' || failure.message === 'UnknownError' ? failure.name : `${failure.name}: ${failure.message}`;
  return `could not ${what} in ${location}: ${answer}${failure.status === undefined ? '' : ` (${failure.status})`}`;
}

function readFailure(error: unknown): S3Failure {
  if (!(error instanceof Error)) return { name: 'Error', status: undefined, message: String(error), region: undefined };
  const response = '$response' in error && typeof error.$response === 'object' && error.$response !== null ? error.$response : {};
  const headers = 'headers' in response && typeof response.headers === 'object' && response.headers !== null ? response.headers : {};
  const region = textOf(headers, 'x-amz-bucket-region') ?? textOf(error, 'Region');
  return { name: textOf(error, 'Code') ?? error.name, status: statusOf(error, response), message: error.message, region };
}

function statusOf(error: Error, response: object): number | undefined {
  if ('statusCode' in response && typeof response.statusCode === 'number') return response.statusCode;
  const metadata = '$metadata' in error && typeof error.$metadata === 'object' && error.$metadata !== null ? error.$metadata : {};
  return 'httpStatusCode' in metadata && typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}

function textOf(holder: object, name: string): string | undefined {
  const value: unknown = name in holder ? holder[name as keyof typeof holder] : undefined;
  return typeof value === 'string' && value !== '' ? value : undefined;
}

const TLS = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|EPROTO$)/;

/** Nothing was answered. A certificate stays what it is; names and routes come back. */
function unreachable({ endpoint }: S3Attempt, cause: unknown): Meaning | undefined {
  const code = errorCode(cause) ?? '';
  if (TLS.test(code)) return { code: 'REPO_UNREACHABLE', hint: `its certificate is not trusted: name the CA with ?ca-file=… or AWS_CA_BUNDLE (${code})` };
  const isNetwork = /^E[A-Z_]+$/.test(code) || (cause instanceof Error && (cause.name === 'TimeoutError' || cause.message === 'socket hang up'));
  return isNetwork ? { code: 'REPO_UNREACHABLE', retryable: true, hint: `check that ${endpoint} answers from here` } : undefined;
}
