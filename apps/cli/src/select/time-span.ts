import { usageError } from '../errors.ts';

const MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** `90s`, `10m`, `2h`, `30d`, `4w`, in ms. */
export function parseSpan(text: string, what: string): number {
  const [, number, unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const ms = (MS as Readonly<Record<string, number>>)[unit];
  if (number === undefined || ms === undefined) throw usageError(`${what} of '${text}'`, 'a number and s, m, h, d or w: 90s, 10m, 2h, 30d');
  return Number(number) * ms;
}
