import { openAuditLog, verifyAuditLog } from '@onevault/audit-log';
import { systemClock } from '@onevault/base';

/** Writes that alice restored something, and answers whether the whole log holds. */
export async function note(directory: string): Promise<boolean> {
  await using log = await openAuditLog({ directory, clock: systemClock });
  await log.append({ actor: { kind: 'user', name: 'alice' }, action: 'restore.start', object: 'point p-1', outcome: 'ok' });
  const { firstBreak } = await verifyAuditLog(directory);
  return firstBreak === undefined;
}
