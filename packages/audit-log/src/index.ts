/**
 * An append-only log of who did what. Each record holds the hash of the one before it: what is changed, taken out or put in later shows.
 * @packageDocumentation
 */
export { type AuditFilter, type AuditLog, type AuditLogOptions, openAuditLog } from './audit-log.ts';
export { AuditError, type AuditErrorCode } from './errors.ts';
export type { AuditEntry, AuditRecord } from './record.ts';
export { type AuditBreak, type AuditVerdict, verifyAuditLog } from './verify.ts';
