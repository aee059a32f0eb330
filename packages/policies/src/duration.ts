import { PolicyError } from './errors.ts';

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** `90s`, `15m`, `4h`, `1d12h`, `2w` as ms of true time: a day is 24 hours. Throws POLICY_DURATION_INVALID. */
export function parseDuration(text: string): number {
  if (!/^(\d{1,6}[smhdw])+$/.test(text)) {
    throw new PolicyError({
      code: 'POLICY_DURATION_INVALID',
      message: `'${text}' is not a length of time`,
      details: { text },
      hint: 'write 90s, 15m, 4h, 2d, 1w or several together, such as 1d12h',
    });
  }
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([smhdw])/g)) total += Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
  return total;
}

/** The shortest spelling that `parseDuration` reads back as the same; whole seconds. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms / 1000) * 1000;
  if (rest <= 0) return '0s';
  let text = '';
  for (const unit of ['w', 'd', 'h', 'm', 's'] as const) {
    const count = Math.floor(rest / UNIT_MS[unit]);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * UNIT_MS[unit];
  }
  return text;
}
