import { BaseError } from '@onevault/base';

/** Stable codes of this package; the README says when each is thrown and what to do. */
export type AttachErrorCode =
  | 'ATTACH_UNIDENTIFIABLE'
  | 'ATTACH_NO_FREE_TARGET'
  | 'ATTACH_PROXY_FULL'
  | 'ATTACH_REFUSED'
  | 'ATTACH_FAILED'
  | 'ATTACH_SERIAL_IN_USE'
  | 'ATTACH_IMAGE_MISMATCH'
  | 'ATTACH_DEVICE_ABSENT'
  | 'ATTACH_DEVICE_AMBIGUOUS'
  | 'ATTACH_DEVICE_CONFLICT'
  | 'ATTACH_DEVICE_CHANGED'
  | 'ATTACH_DEVICE_WRITTEN'
  | 'ATTACH_DEVICE_SIZE'
  | 'ATTACH_DEVICE_IN_USE'
  | 'ATTACH_DEVICE_WRITABLE'
  | 'ATTACH_DEVICE_READ_ONLY'
  | 'ATTACH_DETACH_FAILED'
  | 'ATTACH_TIMEOUT'
  | 'ATTACH_PROXY_UNKNOWN'
  | 'ATTACH_PROXY_AMBIGUOUS'
  | 'ATTACH_PROXY_STATE'
  | 'ATTACH_PROXY_IN_USE';

/** What is known of the attachment that failed; absent fields are not known. */
export interface AttachErrorDetails {
  readonly imageId?: number;
  readonly serial?: string;
  /** In ATTACH_DETACH_FAILED: the disk that is still in the VM body; absent when OpenNebula could not be asked. */
  readonly diskId?: number;
  readonly target?: string;
  readonly devicePath?: string;
  readonly devicePaths?: readonly string[];
  readonly expectedBytes?: number;
  readonly actualBytes?: number;
  readonly holders?: readonly string[];
  readonly state?: number;
  readonly lcmState?: number;
  readonly timeoutMs?: number;
  /** OpenNebula's own words: the refusal, or USER_TEMPLATE/ERROR as far as this operation wrote it. */
  readonly oneMessage?: string;
  /** In ATTACH_DETACH_FAILED after a failed attach: the code of the failure that made the detach necessary. */
  readonly after?: string;
  /** In ATTACH_DETACH_FAILED: the guest has let go of the device though OpenNebula still lists the disk (OpenNebula/one#8021). */
  readonly deviceGone?: boolean;
  /** In ATTACH_DEVICE_WRITTEN: sectors of 512 bytes; absent when the kernel gave no figure. */
  readonly writtenSectors?: number;
  readonly uuid?: string;
  readonly vmIds?: readonly number[];
}

/** The error of this package. */
export class AttachError extends BaseError<AttachErrorCode, AttachErrorDetails> {}
