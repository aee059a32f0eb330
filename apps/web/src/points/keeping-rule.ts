/** Rules of retention, the one that keeps longest first: a point kept by several shows the first of them. */
export const KEEPING_RULES = ['hold', 'yearly', 'monthly', 'weekly', 'daily', 'hourly', 'last', 'none'] as const;
export type KeepingRule = (typeof KEEPING_RULES)[number];

/** One letter besides the colour, so that the colour is not all there is. */
export const RULE_LETTERS: Readonly<Record<KeepingRule, string>> = {
  hold: '!',
  yearly: 'Y',
  monthly: 'M',
  weekly: 'W',
  daily: 'D',
  hourly: 'h',
  last: 'L',
  none: '·',
};

export const RULE_TEXTS: Readonly<Record<KeepingRule, string>> = {
  hold: 'held',
  yearly: 'yearly',
  monthly: 'monthly',
  weekly: 'weekly',
  daily: 'daily',
  hourly: 'hourly',
  last: 'latest, or within a time',
  none: 'no rule: goes with the next retention run',
};

const RANK: Readonly<Record<string, number>> = Object.fromEntries(KEEPING_RULES.map((rule, rank) => [rule, rank]));
const WORDS: readonly (readonly [RegExp, KeepingRule])[] = [
  [/hold|tag|lock/, 'hold'],
  [/year/, 'yearly'],
  [/month/, 'monthly'],
  [/week/, 'weekly'],
  [/dai?ly|day/, 'daily'],
  [/hour/, 'hourly'],
];

/** The rule in `daily#3`, `within-weekly`, `hold:ticket-42`, `last-good`: what it names before `#` and `:`. */
export function ruleIn(reason: string): KeepingRule {
  const [name = ''] = reason.toLowerCase().split(/[#:]/);
  return WORDS.find(([word]) => word.test(name))?.[1] ?? 'last';
}

/** The rule that keeps a point longest; none when nothing does. */
export function keepingRule(keptBy: readonly string[]): KeepingRule {
  return keptBy.map(ruleIn).sort((a, b) => (RANK[a] ?? 0) - (RANK[b] ?? 0))[0] ?? 'none';
}
