export interface ApiErrorFacts {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  /** Of HTTP; absent when there was no answer. */
  readonly status?: number | undefined;
  readonly issues?: readonly { readonly path: string; readonly message: string }[] | undefined;
  readonly requestId?: string | undefined;
  /** The same again has a chance. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
}

/** A call that was refused or failed. Match on `code`: API_UNREACHABLE, API_ANSWER_INVALID, or what the server says. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: string;
  readonly hint: string | undefined;
  readonly status: number | undefined;
  readonly issues: readonly { readonly path: string; readonly message: string }[];
  readonly requestId: string | undefined;
  readonly retryable: boolean;

  constructor(facts: ApiErrorFacts) {
    super(facts.message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = facts.code;
    this.hint = facts.hint;
    this.status = facts.status;
    this.issues = facts.issues ?? [];
    this.requestId = facts.requestId;
    this.retryable = facts.retryable ?? false;
  }
}

export function isApiError(error: unknown, ...codes: readonly string[]): error is ApiError {
  return error instanceof ApiError && (codes.length === 0 || codes.includes(error.code));
}
