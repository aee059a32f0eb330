import type { TimeZone } from '@onevault/backup-format';

const DAY_MS = 86_400_000;

/** Countries have left out a whole day to come to the other side of the date line: it has no runs, and no window opens on it. */
export function isSkipped(zone: TimeZone, dayMs: number): boolean {
  const first = zone.firstInstantAt(dayMs);
  return first + zone.offsetAt(first) >= dayMs + DAY_MS;
}
