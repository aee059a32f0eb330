/** Quantities as people read them. Sizes are IEC: 1 KiB is 1024 bytes. */
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `0 B`, `512 B`, `12.3 MiB`; never rounds up into the next unit's four digits (`1024.0 KiB`). */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (unit < UNITS.length - 1 && Math.abs(value) >= (unit === 0 ? 1024 : 1023.95)) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** Without the blank, for a field of a line that is split at blanks. */
export function compactBytes(bytes: number): string {
  return formatBytes(bytes).replace(' ', '');
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(Math.round(bytesPerSecond))}/s`;
}

/** `850 ms`, `12.4 s`, `3 min 05 s`, `2 h 07 min`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** Seconds, for a field of a line that is split at blanks. */
export function compactDuration(ms: number): string {
  return `${(ms / 1000).toFixed(1)}s`;
}

/** `2026-11-22 18:43:34`, in UTC: admins of one cloud sit in several time zones. */
export function formatTime(time: string | number | Date): string {
  return new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}

export function formatPercent(part: number, whole: number): string {
  return `${whole === 0 ? 100 : Math.floor((part / whole) * 100)} %`;
}

/** `1 disk`, `2 disks`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
