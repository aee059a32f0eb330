import { BaseError } from '@onevault/base';

export type AuditErrorCode = 'AUDIT_WRITE_FAILED' | 'AUDIT_FOREIGN_WRITER' | 'AUDIT_DAMAGED';

/** The log could not be written or read, or is not what was written. */
export class AuditError extends BaseError<AuditErrorCode> {}
