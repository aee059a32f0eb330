/** A policy as it stands in YAML or JSON: what the form does not know stays as it is. What it may hold is the server's to say. */
export interface PolicyDoc {
  readonly kind: 'backup' | 'snapshot';
  readonly name: string;
  readonly [key: string]: unknown;
}

export function newPolicy(kind: 'backup' | 'snapshot', repository: string | undefined, timezone: string): PolicyDoc {
  const common = { name: '', select: { include: ['*'], exclude: [] }, timezone };
  if (kind === 'snapshot') return { kind, ...common, schedules: [{ at: 'every 6h' }], keep: 4 };
  return {
    kind,
    ...common,
    repository: repository ?? '',
    schedules: [{ at: '22:00' }],
    retention: { keepLast: 3, keepDaily: 7, keepWeekly: 4, keepMonthly: 12 },
  };
}

/** The same document with one field changed; undefined takes it away. */
export function withField(doc: PolicyDoc, path: readonly string[], value: unknown): PolicyDoc {
  return changed(doc, path, value) as PolicyDoc;
}

function changed(object: Readonly<Record<string, unknown>>, [key = '', ...rest]: readonly string[], value: unknown): Record<string, unknown> {
  const { [key]: before, ...others } = object;
  const after = rest.length === 0 ? value : changed(recordIn(before), rest, value);
  // In its old place, so that YAML keeps its order.
  if (after === undefined) return others;
  return key in object ? Object.fromEntries(Object.entries(object).map(([name, field]) => [name, name === key ? after : field])) : { ...object, [key]: after };
}

export function recordIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

export function fieldOf(doc: PolicyDoc, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => recordIn(value)[key], doc);
}

export function textOf(doc: PolicyDoc, path: readonly string[]): string {
  const value = fieldOf(doc, path);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** Texts of a list, a line each. */
export function linesOf(doc: PolicyDoc, path: readonly string[]): string {
  const value = fieldOf(doc, path);
  return Array.isArray(value) ? value.join('\n') : '';
}

export function listIn(lines: string): string[] {
  return lines.split('\n').filter((line) => line.trim() !== '');
}

export interface ScheduleDoc {
  readonly at: string;
  readonly [key: string]: unknown;
}

export function schedulesOf(doc: PolicyDoc): readonly ScheduleDoc[] {
  const value = doc['schedules'];
  return Array.isArray(value) ? value.map((each) => ({ at: '', ...recordIn(each) })) : [];
}

/** A number where there is one; as it was written where it is none (the server says what is wrong with it); undefined where there is nothing. */
export function numberIn(text: string): number | string | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  return /^\d+$/.test(trimmed) ? Number(trimmed) : trimmed;
}

export interface RetentionTemplate {
  readonly title: string;
  readonly retention: Readonly<Record<string, number>>;
}

export const RETENTION_TEMPLATES: readonly RetentionTemplate[] = [
  { title: 'last 7', retention: { keepLast: 7 } },
  { title: '7 days, 4 weeks, 12 months', retention: { keepDaily: 7, keepWeekly: 4, keepMonthly: 12 } },
  { title: 'last 3, 13 days, 8 weeks, 11 months, 9 years', retention: { keepLast: 3, keepDaily: 13, keepWeekly: 8, keepMonthly: 11, keepYearly: 9 } },
];

export const COUNT_RULES = [
  ['keepLast', 'latest'],
  ['keepHourly', 'hourly'],
  ['keepDaily', 'daily'],
  ['keepWeekly', 'weekly'],
  ['keepMonthly', 'monthly'],
  ['keepYearly', 'yearly'],
] as const;

/** What a retention keeps, in words. */
export function retentionText(retention: Readonly<Record<string, unknown>>): string {
  const counts = COUNT_RULES.flatMap(([rule, word]) =>
    Number(retention[rule] ?? 0) > 0 || retention[rule] === 'unlimited' ? [`${String(retention[rule])} ${word}`] : [],
  );
  const within = typeof retention['keepWithin'] === 'string' ? [`all of the last ${retention['keepWithin']}`] : [];
  const parts = [...within, ...counts];
  return parts.length === 0 ? 'no rule: everything stays' : `stays: ${parts.join(', ')}; a point stays when any of them wants it`;
}
