const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1.2 GiB`; three digits at most. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : Number(value.toFixed(1))} ${UNITS[unit]}`;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `850 ms`, `12 s`, `3 m 20 s`, `5 h 2 m`, `4 d 3 h`: two units at most. */
export function formatDuration(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10 * SECOND) return `${Number((ms / SECOND).toFixed(1))} s`;
  // Rounded to the smaller unit shown, so that 59.7 s is 1 m and never 60 s.
  if (ms < MINUTE - SECOND / 2) return `${Math.round(ms / SECOND)} s`;
  if (ms < HOUR - SECOND / 2) return two(Math.round(ms / SECOND), 60, 'm', 's');
  if (ms < DAY - MINUTE / 2) return two(Math.round(ms / MINUTE), 60, 'h', 'm');
  return two(Math.round(ms / HOUR), 24, 'd', 'h');
}

function two(count: number, base: number, big: string, small: string): string {
  const rest = count % base;
  return `${Math.floor(count / base)} ${big}${rest === 0 ? '' : ` ${rest} ${small}`}`;
}

/** `3 h ago`, `in 2 d`, `now`: one unit. */
export function formatAge(atMs: number, nowMs: number): string {
  const away = Math.abs(nowMs - atMs);
  if (away < 10 * SECOND) return 'now';
  const [size, unit] = (
    [
      [DAY, 'd'],
      [HOUR, 'h'],
      [MINUTE, 'min'],
      [SECOND, 's'],
    ] as const
  ).find(([each]) => away >= each) ?? [SECOND, 's'];
  const text = `${Math.floor(away / size)} ${unit}`;
  return atMs <= nowMs ? `${text} ago` : `in ${text}`;
}

/** In the zone of whoever looks: `2026-11-28 02:15`. */
export function formatLocal(at: Date, options: { readonly seconds?: boolean } = {}): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = formatLocalDay(at);
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}${options.seconds === true ? `:${two(at.getSeconds())}` : ''}`;
}

export function formatLocalDay(at: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** `62 %`; never 100 % before all is there, never 0 % once something is. */
export function formatShare(part: number, whole: number): string {
  if (whole <= 0) return '–';
  const percent = (100 * part) / whole;
  const rounded = part >= whole ? 100 : Math.min(99, part > 0 ? Math.max(1, Math.round(percent)) : 0);
  return `${rounded} %`;
}
