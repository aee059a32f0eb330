import type { NotificationChannel } from '../ports/notification-channel.ts';
import type { ServerSettings } from '../ports/settings-store.ts';
import type { Observation } from './troubles.ts';

/** The dead man's rule: silence is news where something was to happen. Each channel has its own patience, so each is looked at alone. */
export function nothingRan(
  channel: NotificationChannel,
  settings: ServerSettings,
  lastSuccessMs: number | undefined,
  beganMs: number,
  nowMs: number,
): Observation {
  const isExpected = settings.policies.some(({ policy }) => policy.enabled);
  const sinceMs = lastSuccessMs ?? beganMs;
  const isQuiet = isExpected && nowMs - sinceMs > channel.quietForMs;
  const text = lastSuccessMs === undefined ? 'no run has ever succeeded' : `no run has succeeded since ${new Date(lastSuccessMs).toISOString()}`;
  const hint = 'Look whether a worker is up, whether runs wait, and whether OpenNebula answers';
  return { key: `nothing-ran:${channel.name}`, subject: 'schedules', trouble: isQuiet ? { condition: 'nothing-ran', text, hint } : undefined };
}
