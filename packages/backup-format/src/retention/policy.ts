import { z } from 'zod';
import { isRepositoryError, RepositoryError, type RepositoryErrorCode } from '../errors.ts';
import type { Period } from './calendar.ts';
import { formatRetentionDuration, isZeroDuration, parseRetentionDuration, type RetentionDuration } from './duration.ts';
import { TimeZone } from './time-zone.ts';

const countRules = [
  ['keepLast', 'point'],
  ['keepHourly', 'hour'],
  ['keepDaily', 'day'],
  ['keepWeekly', 'week'],
  ['keepMonthly', 'month'],
  ['keepYearly', 'year'],
] as const satisfies readonly (readonly [string, Period])[];

const withinRules = [
  ['keepWithin', 'point'],
  ['keepWithinHourly', 'hour'],
  ['keepWithinDaily', 'day'],
  ['keepWithinWeekly', 'week'],
  ['keepWithinMonthly', 'month'],
  ['keepWithinYearly', 'year'],
] as const satisfies readonly (readonly [string, Period])[];

export type RetentionCountRule = (typeof countRules)[number][0];
export type RetentionWithinRule = (typeof withinRules)[number][0];
export type RetentionRule = RetentionCountRule | RetentionWithinRule;

/** One switched-on rule of a policy, ready to be applied. */
export type ActiveRule =
  /** `count` is Infinity for `unlimited`. */
  | { readonly kind: 'count'; readonly rule: RetentionCountRule; readonly period: Period; readonly count: number }
  | { readonly kind: 'within'; readonly rule: RetentionWithinRule; readonly period: Period; readonly duration: RetentionDuration };

const count = z.union([z.int().min(0), z.literal('unlimited')], { error: 'not a whole number from 0 or "unlimited"' }).optional();
const tag = z.string().min(1);

const duration = z
  .string()
  .transform((text, context) => {
    try {
      return formatRetentionDuration(parseRetentionDuration(text));
    } catch (error) {
      return refuse(context, error);
    }
  })
  .optional();

const timezone = z.string().superRefine((name, context) => {
  try {
    TimeZone.of(name);
  } catch (error) {
    refuse(context, error);
  }
});

/**
 * What to keep of every group, as it stands in YAML or JSON. Rules are restic's, in camel case; a point stays when any of them wants it. A rule that is left out,
 * 0 or `0h` is off. Parsing gives the same in one spelling, and parsing that again changes nothing.
 */
export const retentionPolicySchema = z
  .strictObject({
    /** IANA name of the zone whose hours, days, ISO weeks, months and years count. It has no default: a repository is opened in many places. */
    timezone,
    keepLast: count,
    keepHourly: count,
    keepDaily: count,
    keepWeekly: count,
    keepMonthly: count,
    keepYearly: count,
    keepWithin: duration,
    keepWithinHourly: duration,
    keepWithinDaily: duration,
    keepWithinWeekly: duration,
    keepWithinMonthly: duration,
    keepWithinYearly: duration,
    /** Each entry is a tag, or several that a point must have all. */
    keepTags: z.array(z.union([tag.transform((one) => [one]), z.array(tag).min(1)])).optional(),
    /** Which point stands for its period: the newest, or the oldest. */
    representative: z.enum(['last', 'first']).default('last'),
    /** That many newest good points stay whatever the rules say. */
    minimumGood: z.int().min(1).default(1),
  })
  .superRefine((policy, context) => {
    if (activeRules(policy).length > 0 || (policy.keepTags?.length ?? 0) > 0) return;
    refuse(
      context,
      new RepositoryError({
        code: 'REPO_RETENTION_EMPTY',
        message: 'the policy has no rule: it would forget all but the last good restore point of every group',
        hint: 'give at least one rule, for instance keepDaily: 7; to remove single restore points, forget them by id',
      }),
    );
  });

/** As a person writes it. */
export type RetentionPolicyInput = z.input<typeof retentionPolicySchema>;
/** In one spelling, defaults filled in; plain JSON. */
export type RetentionPolicy = z.output<typeof retentionPolicySchema>;

/** Throws REPO_RETENTION_EMPTY, REPO_TIMEZONE_UNKNOWN, and REPO_RETENTION_INVALID for everything else that is wrong. */
export function parseRetentionPolicy(value: unknown): RetentionPolicy {
  const parsed = retentionPolicySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const refusals = parsed.error.issues.map((issue) => (issue.code === 'custom' ? issue.params?.['refusal'] : undefined));
  const [only] = refusals;
  const code: RepositoryErrorCode = refusals.length === 1 && isRepositoryError(only) ? only.code : 'REPO_RETENTION_INVALID';
  const hint = refusals.find((refusal) => isRepositoryError(refusal))?.hint;
  throw new RepositoryError({
    code,
    message: `the retention policy is not valid: ${z.prettifyError(parsed.error)}`,
    ...(hint === undefined ? {} : { hint }),
    cause: parsed.error,
  });
}

/** The rules that are switched on, in the order in which they are told. Throws nothing for a parsed policy. */
export function activeRules(policy: Partial<RetentionPolicy>): readonly ActiveRule[] {
  const counted = countRules.map(([rule, period]): ActiveRule => ({ kind: 'count', rule, period, count: numberOf(policy[rule]) }));
  const within = withinRules.map(([rule, period]): ActiveRule => ({ kind: 'within', rule, period, duration: parseRetentionDuration(policy[rule] ?? '0h') }));
  return [...counted, ...within].filter((rule) => (rule.kind === 'count' ? rule.count > 0 : !isZeroDuration(rule.duration)));
}

function numberOf(limit: RetentionPolicy[RetentionCountRule]): number {
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : (limit ?? 0);
}

/** Lets a typed error out of zod: parseRetentionPolicy finds it again. */
function refuse(context: z.RefinementCtx, error: unknown): never {
  if (!isRepositoryError(error)) throw error;
  context.addIssue({ code: 'custom', message: error.message, params: { refusal: error } });
  return z.NEVER;
}
