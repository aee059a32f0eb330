import { BaseError } from '@onevault/base';

/** oned's own numbers (OpenNebula include/Request.h, ErrorCode), one code each. */
const ONED_CODES = {
  256: 'ONE_AUTHENTICATION',
  512: 'ONE_AUTHORIZATION',
  1024: 'ONE_NO_EXISTS',
  2048: 'ONE_ACTION',
  4096: 'ONE_XML_RPC_API',
  8192: 'ONE_INTERNAL',
  16384: 'ONE_ALLOCATE',
  32768: 'ONE_LOCKED',
  65536: 'ONE_REPLICATION',
} as const;

export type OnedErrorCode = (typeof ONED_CODES)[keyof typeof ONED_CODES];

export type OneErrorCode =
  | OnedErrorCode
  | 'ONE_UNREACHABLE'
  | 'ONE_TIMEOUT'
  | 'ONE_HTTP_STATUS'
  | 'ONE_FAULT'
  | 'ONE_RESPONSE_INVALID'
  | 'ONE_RESPONSE_TOO_LARGE'
  | 'ONE_ARGUMENT_INVALID'
  | 'ONE_WAIT_TIMEOUT'
  | 'ONE_WAIT_FAILED_STATE'
  | 'ONE_CREDENTIALS_MISSING'
  | 'ONE_CREDENTIALS_INVALID';

/** Which of them are there depends on the code; all are safe to print. */
export interface OneErrorDetails {
  /** `one.vm.info`. */
  readonly method?: string;
  readonly endpoint?: string;
  /** oned's numeric code, also one that this version does not know. */
  readonly oneCode?: number;
  /** oned's message as it came, with its `[one.vm.info]` prefix. */
  readonly onedMessage?: string;
  /** The object oned blames; absent when it named none. */
  readonly objectId?: number;
  readonly httpStatus?: number;
  readonly faultCode?: number;
  /** Whether the call can have had an effect: a connection that was never made carried nothing. */
  readonly executed?: 'no' | 'unknown';
  readonly limitBytes?: number;
  readonly timeoutMs?: number;
  /** The object and field of a body that could not be read: `VM 6`, `TEMPLATE/DISK/0/SIZE`. */
  readonly object?: string;
  readonly field?: string;
  /** What a wait was for, and what was last seen. */
  readonly what?: string;
  readonly lastState?: string;
  /** Files looked at for credentials or an endpoint. */
  readonly looked?: readonly string[];
}

const HINTS: Readonly<Record<OneErrorCode, string>> = {
  ONE_AUTHENTICATION: 'Check user and password or token in the ONE_AUTH file; a login token may have expired (oneuser token-create)',
  ONE_AUTHORIZATION: 'Give the API user the right that is named, raise its quota, or unlock the object',
  ONE_NO_EXISTS: 'Check the id; the object may have been deleted meanwhile',
  ONE_ACTION: 'The object is in a state, or in use in a way, that does not allow this; try again when it is idle',
  ONE_XML_RPC_API: 'oned refused the arguments; its version may be older or newer than the supported 6.10 to 7.4',
  ONE_INTERNAL: 'See /var/log/one/oned.log on the front-end',
  ONE_ALLOCATE: 'A name may be taken, a quota reached or an attribute wrong: the message says which',
  ONE_LOCKED: 'Unlock the object (oneimage unlock, onevm unlock …) or wait until its owner does',
  ONE_REPLICATION: 'The OpenNebula HA cluster could not replicate the change; check onezone show',
  ONE_UNREACHABLE: 'Check that oned runs and that its port (2633) can be reached from here; ONE_XMLRPC names the endpoint',
  ONE_TIMEOUT: 'oned accepted the call and did not answer in time; check its load and /var/log/one/oned.log',
  ONE_HTTP_STATUS: 'The endpoint answered as something other than oned; it normally ends in :2633/RPC2, or is a reverse proxy in front of that',
  ONE_FAULT: 'oned could not understand the call; its version may be older or newer than the supported 6.10 to 7.4',
  ONE_RESPONSE_INVALID: 'The answer is not what OpenNebula 6.10 to 7.4 sends; check ONE_XMLRPC, and any proxy in between',
  ONE_RESPONSE_TOO_LARGE: 'Lower the pool page size, or raise the response limit',
  ONE_ARGUMENT_INVALID: 'Remove the character or attribute that is named; nothing was sent',
  ONE_WAIT_TIMEOUT: 'It may still finish; look at the VM or image log on the front-end, then try again',
  ONE_WAIT_FAILED_STATE: 'Look at the VM log on the front-end (/var/log/one/<id>.log); recover the VM if it is in a failure state',
  ONE_CREDENTIALS_MISSING: 'Set ONE_AUTH to a file that holds user:password, or create ~/.one/one_auth',
  ONE_CREDENTIALS_INVALID: 'The file must hold one line user:password or user:token',
};

export const ERROR_CODES = Object.keys(HINTS) as readonly OneErrorCode[];

/** Everything this package throws, aborts and programmer mistakes apart. Match on `code`. */
export class OneError extends BaseError<OneErrorCode, OneErrorDetails> {
  constructor(code: OneErrorCode, message: string, facts: { details?: OneErrorDetails; retryable?: boolean; hint?: string; cause?: unknown } = {}) {
    super({ code, message, hint: HINTS[code], ...facts });
  }
}

export function isOneError(error: unknown, code?: OneErrorCode): error is OneError {
  return error instanceof OneError && (code === undefined || error.code === code);
}

export interface OnedRefusal {
  readonly method: string;
  readonly oneCode: number;
  readonly onedMessage: string;
  readonly objectId: number | undefined;
}

/** A failure answer of oned, `[false, message, code, …]`. A code that is not in its table counts as ONE_INTERNAL and keeps its number. */
export function onedRefusal({ method, oneCode, onedMessage, objectId }: OnedRefusal): OneError {
  const code: OneErrorCode = isOnedCode(oneCode) ? ONED_CODES[oneCode] : 'ONE_INTERNAL';
  return new OneError(code, `${method}: ${withoutPrefix(onedMessage)}`, {
    details: { method, oneCode, onedMessage, ...(objectId === undefined ? {} : { objectId }) },
    retryable: code === 'ONE_REPLICATION' || (code === 'ONE_INTERNAL' && isElection(onedMessage)),
  });
}

function isOnedCode(code: number): code is keyof typeof ONED_CODES {
  return Object.hasOwn(ONED_CODES, code);
}

/** Refused before anything was done, by an HA member without a leader (OpenNebula src/rm/Request.cc). */
function isElection(message: string): boolean {
  return /election mode|replicating log|no leader/i.test(message);
}

function withoutPrefix(message: string): string {
  return message.replace(/^\[one\.[a-z.]+\] ?/, '').replace(/\.+$/, '');
}
