import { BaseError } from '@onevault/base';

/** Stable codes of this package; the README says when each is thrown and what to do. */
export type NbdErrorCode =
  | 'NBD_LISTEN_FAILED'
  | 'NBD_SOCKET_IN_USE'
  | 'NBD_PLAINTEXT_REFUSED'
  | 'NBD_TLS_INVALID'
  | 'NBD_EXPORT_NAME'
  | 'NBD_OVERLAY_INVALID'
  | 'NBD_OVERLAY_MISMATCH'
  | 'NBD_OVERLAY_IN_USE';

export interface NbdErrorDetails {
  readonly path?: string;
  readonly host?: string;
  readonly port?: number;
  readonly exportName?: string;
  /** What an overlay was made for, and what it was opened for. */
  readonly made?: string;
  readonly wanted?: string;
}

/** The error of this package. */
export class NbdError extends BaseError<NbdErrorCode, NbdErrorDetails> {}
