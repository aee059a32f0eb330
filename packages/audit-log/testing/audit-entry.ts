import type { AuditEntry } from '../src/index.ts';

/** Somebody did something. */
export function auditEntry(overrides: Partial<AuditEntry> = {}): AuditEntry {
  return { actor: { kind: 'user', name: 'alice', address: '127.0.0.1' }, action: 'restore.start', object: 'point p-1', outcome: 'ok', ...overrides };
}
