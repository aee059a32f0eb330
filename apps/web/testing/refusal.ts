export interface Fault {
  readonly path: string;
  readonly message: string;
}

/** Said as problem+json. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly issues: readonly Fault[] | undefined;

  constructor(status: number, code: string, message: string, more: { readonly hint?: string; readonly issues?: readonly Fault[] } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = more.hint;
    this.issues = more.issues;
  }
}
