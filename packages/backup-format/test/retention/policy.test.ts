import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatRetentionDuration,
  isRepositoryError,
  parseRetentionDuration,
  parseRetentionPolicy,
  retentionPolicySchema,
  retentionTemplates,
  selectForRetention,
} from '../../src/index.ts';

const code = (expected: string): unknown => expect.objectContaining({ code: expected });

describe('durations', () => {
  it.each([
    ['3d', { days: 3 }, '3d'],
    ['2w', { weeks: 2 }, '2w'],
    ['12h', { hours: 12 }, '12h'],
    ['1y6m', { years: 1, months: 6 }, '1y6m'],
    ['7d3h2y5m', { years: 2, months: 5, days: 7, hours: 3 }, '2y5m7d3h'],
    ['0d', {}, '0h'],
    ['007d', { days: 7 }, '7d'],
  ])('%s', (text, parts, formatted) => {
    const duration = parseRetentionDuration(text);
    expect(duration).toEqual({ years: 0, months: 0, weeks: 0, days: 0, hours: 0, ...parts });
    expect(formatRetentionDuration(duration)).toBe(formatted);
  });

  it.each(['', '3', 'd', '3D', '-3d', '1.5d', '3 d', '3d ', '1d2d', '3min', '100000d', 'P3D', '3dd', '٣d'])('refuses %j', (text) => {
    expect(() => parseRetentionDuration(text)).toThrow(code('REPO_RETENTION_INVALID'));
  });

  it('come back as they were written, and any other text is refused with a typed error', () => {
    const part = fc.integer({ min: 0, max: 99_999 });
    fc.assert(
      fc.property(fc.record({ years: part, months: part, weeks: part, days: part, hours: part }), (duration) => {
        expect(parseRetentionDuration(formatRetentionDuration(duration))).toEqual(duration);
      }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9hdwmy]{0,12}$/)), (text) => {
        try {
          const formatted = formatRetentionDuration(parseRetentionDuration(text));
          expect(formatRetentionDuration(parseRetentionDuration(formatted))).toBe(formatted);
        } catch (error) {
          expect(isRepositoryError(error, 'REPO_RETENTION_INVALID')).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('a policy', () => {
  it('is what stands in YAML, in one spelling, with defaults', () => {
    const written = {
      timezone: 'Europe/Berlin',
      keepLast: 3,
      keepHourly: 0,
      keepDaily: 7,
      keepYearly: 'unlimited',
      keepWithin: '3d',
      keepWithinDaily: '06m1y',
    };
    expect(parseRetentionPolicy({ ...written, keepTags: ['gold', ['app', 'month-end']] })).toEqual({
      ...written,
      keepWithinDaily: '1y6m',
      keepTags: [['gold'], ['app', 'month-end']],
      representative: 'last',
      minimumGood: 1,
    });
  });

  it.each([
    ['no rule', { timezone: 'UTC' }],
    ['nothing but zeros', { timezone: 'UTC', keepLast: 0, keepDaily: 0, keepWithin: '0d', keepTags: [] }],
    ['only the invariant', { timezone: 'UTC', minimumGood: 5 }],
  ])('with %s is refused as empty, here and where it is applied', (_, policy) => {
    expect(() => parseRetentionPolicy(policy)).toThrow(code('REPO_RETENTION_EMPTY'));
    expect(() => selectForRetention([], policy, new Date(0))).toThrow(code('REPO_RETENTION_EMPTY'));
  });

  it.each(['Mars/Olympus', 'Berlin', '', '+02:00', 'UTC+2', 'local'])('of the zone %j is refused', (timezone) => {
    expect(() => parseRetentionPolicy({ timezone, keepLast: 1 })).toThrow(code('REPO_TIMEZONE_UNKNOWN'));
  });

  it.each([
    ['no zone', { keepLast: 1 }],
    ['a rule that nobody knows', { timezone: 'UTC', keepLast: 1, keepDayly: 7 }],
    ['a negative count', { timezone: 'UTC', keepLast: -1 }],
    ['half a count', { timezone: 'UTC', keepLast: 1.5 }],
    ['a count in words', { timezone: 'UTC', keepLast: 'all' }],
    ['a duration without a unit', { timezone: 'UTC', keepWithin: 3 }],
    ['a duration that is none', { timezone: 'UTC', keepWithin: '3 days' }],
    ['no last good point', { timezone: 'UTC', keepLast: 1, minimumGood: 0 }],
    ['tags that everything has', { timezone: 'UTC', keepTags: [[]] }],
    ['an empty tag', { timezone: 'UTC', keepTags: [''] }],
    ['another representative', { timezone: 'UTC', keepLast: 1, representative: 'middle' }],
    ['a wrong zone beside a wrong count', { timezone: 'Mars/Olympus', keepLast: -1 }],
    ['a list', []],
    ['nothing', undefined],
  ])('with %s is refused', (_, policy) => {
    expect(() => parseRetentionPolicy(policy)).toThrow(code('REPO_RETENTION_INVALID'));
  });

  it('says where it is wrong and what to write', () => {
    const attempt = (): unknown => parseRetentionPolicy({ timezone: 'UTC', keepWithin: '3 days' });
    expect(attempt).toThrow(/keepWithin/);
    expect(attempt).toThrow(expect.objectContaining({ hint: expect.stringContaining('3d') }));
  });

  it('is described in the documentation, key by key', async () => {
    const page = await readFile(new URL('../../../../docs/retention.md', import.meta.url), 'utf8');
    const keys = Object.keys(retentionPolicySchema.shape);
    expect(keys).toHaveLength(16);
    expect(keys.filter((key) => !page.includes(key))).toEqual([]);
    expect(Object.keys(retentionTemplates).filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  it('is checked by the schema too, inside a larger document', () => {
    expect(retentionPolicySchema.safeParse({ timezone: 'UTC' }).success).toBe(false);
    expect(retentionPolicySchema.safeParse({ timezone: 'Mars/Olympus', keepLast: 1 }).success).toBe(false);
    for (const template of Object.values(retentionTemplates)) expect(retentionPolicySchema.safeParse({ timezone: 'UTC', ...template }).success).toBe(true);
  });

  it('that is any JSON is taken or refused with a typed error', () => {
    const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.integer(), fc.string(), fc.constant('UTC'));
    const keys = ['timezone', 'keepLast', 'keepWithin', 'keepTags', 'representative', 'minimumGood'];
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.record(Object.fromEntries(keys.map((key) => [key, value])), { requiredKeys: [] })), (document) => {
        try {
          parseRetentionPolicy(document);
        } catch (error) {
          expect(isRepositoryError(error, 'REPO_RETENTION_INVALID', 'REPO_RETENTION_EMPTY', 'REPO_TIMEZONE_UNKNOWN')).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
