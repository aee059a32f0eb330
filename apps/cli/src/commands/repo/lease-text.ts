import type { LeaseInfo } from '@onevault/backup-format';
import { formatDuration, formatTime } from '../../render/units.ts';

/** One lease in one line, for people. */
export function leaseText({ id, kind, purpose, host, pid, startedAt, silentMs, state }: LeaseInfo): string {
  const who = host === undefined ? 'its object is damaged' : `${host}, process ${pid}, since ${startedAt === undefined ? '?' : formatTime(startedAt)}`;
  const silence = silentMs > 0 ? `, silent for ${formatDuration(silentMs)}` : '';
  return `${id.slice(0, 12)} ${kind} ${state}: ${purpose ?? 'unknown'} (${who}${silence})`;
}
