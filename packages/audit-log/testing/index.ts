/**
 * For tests of what keeps an audit log.
 * @packageDocumentation
 */
export { auditEntry } from './audit-entry.ts';
