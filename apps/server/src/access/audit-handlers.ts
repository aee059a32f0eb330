import type { accessSchemas } from '@onevault/api';
import { type AuditRecord, verifyAuditLog } from '@onevault/audit-log';
import type { z } from 'zod';
import type { Call, HandlerTable } from '../ports/call.ts';
import type { AccessDeps } from './access.ts';

type AuditQuery = z.output<typeof accessSchemas.auditQuery>;

export function auditHandlers({ audit, auditDirectory }: Pick<AccessDeps, 'audit' | 'auditDirectory'>): HandlerTable {
  return {
    readAudit: async ({ query, signal }: Call<unknown, AuditQuery>) => {
      const { limit, beforeSeq, actor, action } = query;
      const matches = (record: AuditRecord): boolean =>
        (actor === undefined || record.actor.name === actor) && (action === undefined || record.action === action);
      return audit.read({ limit, matches, ...(beforeSeq !== undefined && { beforeSeq }) }, { signal });
    },
    // What this process has written it still knows: cut off at the end shows.
    verifyAudit: async ({ signal }: Call) => verifyAuditLog(auditDirectory, { signal, head: audit.head() }),
  };
}
