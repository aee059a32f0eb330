import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRetentionDuration, parseRetentionPolicy, type RetentionPoint, type RetentionPolicyInput, selectForRetention } from '../../src/index.ts';
import { cutoffOf, periodLabel, referenceSelection, told } from './reference.ts';

const DAY = 86_400_000;
/** Enough to meet every rule in every zone; the seed of a failure is printed. */
const runs = { numRuns: 50 };
const asOf = new Date('2038-01-01T00:00:00Z');
const countRules = ['keepLast', 'keepHourly', 'keepDaily', 'keepWeekly', 'keepMonthly', 'keepYearly'] as const;
const withinRules = ['keepWithin', 'keepWithinHourly', 'keepWithinDaily', 'keepWithinWeekly', 'keepWithinMonthly', 'keepWithinYearly'] as const;

const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/St_Johns', 'Asia/Kathmandu', 'America/New_York');
/** Ends of years and weeks, leap days, and days on which clocks change. */
const anchor = fc
  .constantFrom('2027-01-01', '2021-01-04', '2024-03-01', '2026-03-29', '2026-10-25', '2026-04-04', '2026-10-04', '2011-12-31', '2010-11-07', '2026-03-31')
  .map((day) => Date.parse(`${day}T03:00:00Z`));
/** Before the anchor: within hours, days, months or years of it, to the minute. */
const age = fc.oneof(
  fc.integer({ min: -300, max: 600 }),
  fc.integer({ min: -1440, max: 10 * 1440 }),
  fc.integer({ min: 0, max: 100 * 1440 }),
  fc.integer({ min: 0, max: 1500 * 1440 }),
);
const fate = fc.record({
  damaged: fc.boolean().chain((odd) => (odd ? fc.boolean() : fc.constant(false))),
  tags: fc.subarray(['gold', 'app']),
  holds: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    fc.constant([{ name: 'ticket-42' }]),
    fc.constant([{ name: 'law', until: '2020-01-01T00:00:00Z' }]),
  ),
});

function pointsWith(fates: fc.Arbitrary<object>, maxLength = 20): fc.Arbitrary<RetentionPoint[]> {
  return anchor.chain((origin) =>
    fc.array(fc.tuple(age, fates), { maxLength }).map((items) =>
      items.map(([minutes, facts], index) => ({
        ...facts,
        id: `p${String(index).padStart(2, '0')}`,
        group: 'vm-1',
        capturedAt: new Date(origin - minutes * 60_000).toISOString(),
      })),
    ),
  );
}
const points = pointsWith(fate);
const goodPoints = pointsWith(fc.constant({}));

const count = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant('unlimited' as const));
const duration = fc.constantFrom('0d', '1h', '30h', '1d', '3d', '2w', '1m', '1m3d', '6m', '1y', '1y6m2h', '2y');
const countRecord = fc.record(Object.fromEntries(countRules.map((rule) => [rule, count])), { requiredKeys: [] });
const withinRecord = fc.record(Object.fromEntries(withinRules.map((rule) => [rule, duration])), { requiredKeys: [] });
const manner = fc.record({ timezone: zone, representative: fc.constantFrom('last', 'first'), minimumGood: fc.integer({ min: 1, max: 3 }) });
const tagRules = fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, fc.constant({ keepTags: ['gold'] }), fc.constant({ keepTags: [['gold', 'app']] }));

function policyOf(...parts: fc.Arbitrary<object>[]): fc.Arbitrary<RetentionPolicyInput> {
  return fc
    .tuple(manner, ...parts)
    .map((all) => Object.assign({}, ...all) as RetentionPolicyInput)
    .filter((policy) => Object.entries(policy).some(([name, limit]) => name.startsWith('keep') && limit !== 0 && limit !== '0d'));
}
const policy = policyOf(countRecord, withinRecord, tagRules);
const countPolicy = policyOf(countRecord);
const oneCount = policyOf(fc.tuple(fc.constantFrom(...countRules), fc.integer({ min: 1, max: 6 })).map(([rule, limit]) => ({ [rule]: limit })));
const oneWithin = policyOf(
  fc
    .tuple(
      fc.constantFrom(...withinRules),
      duration.filter((text) => text !== '0d'),
    )
    .map(([rule, limit]) => ({ [rule]: limit })),
);

const keptOf = (all: readonly RetentionPoint[], by: RetentionPolicyInput, at = asOf): RetentionPoint[] =>
  selectForRetention(all, by, at)
    .decisions.filter(({ verdict }) => verdict !== 'forget')
    .map(({ point }) => point);
const ids = (all: readonly RetentionPoint[]): string[] => all.map(({ id }) => id).sort();
const newestFirst = (all: readonly RetentionPoint[]): RetentionPoint[] =>
  [...all].sort((a, b) => Date.parse(b.capturedAt) - Date.parse(a.capturedAt) || (a.id < b.id ? 1 : -1));
const limits = (by: RetentionPolicyInput): [string, unknown][] => Object.entries(by).filter(([name]) => /^keep(?!Tags)/.test(name));

describe('retention', () => {
  it('decides and tells as a slow reference does, at any date', () => {
    fc.assert(
      fc.property(points, policy, fc.integer({ min: -3, max: 40 }), (all, by, days) => {
        const at = days > 20 ? asOf : new Date(Date.parse('2026-10-25T00:00:00Z') - days * DAY);
        const { decisions } = selectForRetention(all, by, at);
        const ours = Object.fromEntries(decisions.map(({ point, verdict, reasons }) => [point.id, told(verdict, reasons)]));
        expect(ours).toEqual(referenceSelection(all, by, at));
      }),
      { numRuns: 60 },
    );
  });

  it('gives every point one verdict and a reason, and never an order of its own: newest last', () => {
    fc.assert(
      fc.property(points, policy, (all, by) => {
        const { decisions } = selectForRetention(all, by, asOf);
        expect(ids(decisions.map(({ point }) => point))).toEqual(ids(all));
        expect(decisions.map(({ point }) => point.id).reverse()).toEqual(newestFirst(all).map(({ id }) => id));
        for (const { point, verdict, reasons } of decisions) {
          expect(reasons.length).toBeGreaterThan(0);
          expect(verdict === 'damaged').toBe(point.damaged === true);
        }
      }),
      runs,
    );
  });

  it('does not look at the order of the input', () => {
    fc.assert(
      fc.property(
        points.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        policy,
        ([all, shuffled], by) => {
          expect(selectForRetention(shuffled, by, asOf)).toEqual(selectForRetention(all, by, asOf));
        },
      ),
      runs,
    );
  });

  it('never lets the last good points go', () => {
    fc.assert(
      fc.property(points, policy, (all, by) => {
        const good = newestFirst(all.filter(({ damaged }) => !damaged));
        expect(ids(keptOf(all, by))).toEqual(expect.arrayContaining(ids(good.slice(0, by.minimumGood))));
      }),
      runs,
    );
  });

  it('keeps what a point holds, whatever the rules', () => {
    fc.assert(
      fc.property(points, policy, (all, by) => {
        const held = all.filter(({ holds }) => holds?.some(({ until }) => until === undefined));
        expect(ids(keptOf(all, by))).toEqual(expect.arrayContaining(ids(held)));
      }),
      runs,
    );
  });

  it('keeps the union of what single rules keep', () => {
    fc.assert(
      fc.property(points, policy, (all, by) => {
        const { timezone, representative, minimumGood, keepTags, ...rules } = by;
        const parts = [...Object.entries(rules).map(([name, limit]) => ({ [name]: limit })), { keepTags }]
          .map((rule) => ({ timezone, representative, minimumGood, ...rule }))
          .filter((single) => Object.entries(single).some(([name, limit]) => name.startsWith('keep') && limit !== undefined && limit !== 0 && limit !== '0d'));
        expect(new Set(parts.flatMap((single) => ids(keptOf(all, single))))).toEqual(new Set(ids(keptOf(all, by))));
      }),
      runs,
    );
  });
});

describe('what rules promise', () => {
  it('n of a period: each of the n newest periods that have a good point keeps one, and nothing else but the oldest and the last good stay', () => {
    fc.assert(
      fc.property(goodPoints, oneCount, (all, by) => {
        const [[rule, wanted] = ['', 0]] = limits(by);
        const label = (point: RetentionPoint): string => periodLabel(rule, by.timezone, point);
        const periods = [...new Set(newestFirst(all).map(label))];
        const kept = keptOf(all, by);
        expect([...new Set(kept.map(label))]).toEqual(expect.arrayContaining(periods.slice(0, Number(wanted))));
        expect(kept.length).toBeLessThanOrEqual(Math.min(Number(wanted), periods.length) + 1 + (by.minimumGood ?? 1));
      }),
      runs,
    );
  });

  it('within: each period whose representative is in the window keeps it, and the window begins at the newest good point', () => {
    fc.assert(
      fc.property(
        goodPoints.filter((all) => all.length > 0),
        oneWithin,
        (all, by) => {
          const [[rule, text] = ['', '']] = limits(by);
          const sorted = newestFirst(all);
          const cutoff = cutoffOf(by.timezone, Date.parse(sorted[0]?.capturedAt ?? ''), parseRetentionDuration(String(text)));
          const inReading = by.representative === 'first' ? [...sorted].reverse() : sorted;
          const labels = inReading.map((point) => periodLabel(rule, by.timezone, point));
          const representatives = inReading.filter((_, index) => labels.indexOf(labels[index] ?? '') === index);
          const promised = representatives.filter(({ capturedAt }) => Date.parse(capturedAt) > cutoff);
          expect(ids(keptOf(all, by))).toEqual(expect.arrayContaining(ids(promised)));
        },
      ),
      runs,
    );
  });

  it('reports how far back each rule reaches', () => {
    fc.assert(
      fc.property(
        goodPoints.filter((all) => all.length > 0),
        policyOf(countRecord, withinRecord),
        (all, by) => {
          const { rules } = selectForRetention(all, by, asOf);
          for (const { rule, kept, full, horizon } of rules) {
            const alone = { timezone: by.timezone, representative: by.representative, [rule]: by[rule] } as RetentionPolicyInput;
            const wanted = selectForRetention(all, alone, asOf).decisions.filter(({ reasons }) => reasons.some((reason) => 'rule' in reason));
            expect(kept).toBe(wanted.length);
            expect(horizon?.pointId).toBe(wanted[0]?.point.id);
            const newest = Math.max(...all.map(({ capturedAt }) => Date.parse(capturedAt)));
            if (horizon) expect(horizon.reachMs).toBe(newest - Date.parse(horizon.capturedAt));
            if (!full) expect(horizon?.pointId).toBe(newestFirst(all).at(-1)?.id);
          }
        },
      ),
      runs,
    );
  });
});

describe('time passing', () => {
  it('what stays among many points stays among any part of them, in every zone', () => {
    fc.assert(
      fc.property(
        goodPoints.chain((all) => fc.tuple(fc.constant(all), fc.subarray(all))),
        policy,
        ([all, part], by) => {
          const keptOfPart = new Set(ids(keptOf(part, by)));
          expect(keptOf(all, by).filter((point) => part.includes(point) && !keptOfPart.has(point.id))).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('changes nothing when applied to what it kept', () => {
    fc.assert(
      fc.property(points, policy, (all, by) => {
        const kept = keptOf(all, by);
        expect(ids(keptOf(kept, by))).toEqual(ids(kept));
      }),
      runs,
    );
  });

  it('a newer point brings nothing back and costs each counted rule, and the last good ones, at most one point', () => {
    fc.assert(
      fc.property(goodPoints, countPolicy, fc.integer({ min: 1, max: 100_000 }), (all, by, minutes) => {
        const newest = Math.max(0, ...all.map(({ capturedAt }) => Date.parse(capturedAt)));
        const next = { id: 'next', group: 'vm-1', capturedAt: new Date(newest + minutes * 60_000).toISOString() };
        const before = new Set(ids(keptOf(all, by)));
        const after = new Set(ids(keptOf([...all, next], by)));
        const lost = [...before].filter((id) => !after.has(id));
        expect([...after].filter((id) => id !== 'next' && !before.has(id))).toEqual([]);
        expect(lost.length).toBeLessThanOrEqual(limits(by).filter(([, limit]) => limit !== 0).length + 1);
      }),
      runs,
    );
  });

  it('points of the future, and damaged ones, change nothing for the others', () => {
    fc.assert(
      fc.property(points, policy, anchor, (all, by, date) => {
        const at = new Date(date - DAY);
        const sound = all.filter(({ damaged, capturedAt }) => !damaged && Date.parse(capturedAt) <= at.getTime());
        const decided = selectForRetention(all, by, at).decisions.filter(({ point }) => sound.includes(point));
        expect(decided).toEqual(selectForRetention(sound, by, at).decisions);
      }),
      runs,
    );
  });

  it('calls damage expired only when enough newer good points stay', () => {
    fc.assert(
      fc.property(points, policy, (all, by) => {
        const { decisions } = selectForRetention(all, by, asOf);
        for (const [index, { verdict, reasons }] of decisions.entries()) {
          if (!reasons.some(({ kind }) => kind === 'expired')) continue;
          expect(verdict).toBe('damaged');
          expect(decisions.slice(index).filter((later) => later.verdict === 'keep').length).toBeGreaterThanOrEqual(by.minimumGood ?? 1);
        }
      }),
      runs,
    );
  });

  it('takes a parsed policy for the policy', () => {
    fc.assert(
      fc.property(points, policy, (all, by) => {
        const parsed = parseRetentionPolicy(by);
        expect(parseRetentionPolicy(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
        expect(selectForRetention(all, parsed as RetentionPolicyInput, asOf)).toEqual(selectForRetention(all, by, asOf));
      }),
      runs,
    );
  });
});
