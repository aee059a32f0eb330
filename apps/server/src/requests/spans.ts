const MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `90s`, `12h`, `7d` in ms; the API's schema has checked its form. */
export function spanMs(text: string): number {
  return Number(text.slice(0, -1)) * (MS[text.slice(-1)] ?? Number.NaN);
}
