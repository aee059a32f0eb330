import { describe, expect, it } from 'vitest';
import { type BackupPolicy, compilePolicy, nextRuns, parsePolicy, protectionOf } from '../src/index.ts';
import { vmFacts } from '../testing/index.ts';

const HOUR_MS = 3_600_000;
const at = (text: string): number => Date.parse(text);
const nightly = {
  kind: 'backup',
  name: 'nightly',
  repository: 'main',
  timezone: 'Europe/Berlin',
  select: { include: ['label=prod'], exclude: ['name=*-test'] },
  schedules: [{ at: 'daily 22:00' }, { at: 'Sun 12:00', mode: 'full' }],
  retention: { keepDaily: 7, keepWeekly: 4 },
};
const policy = parsePolicy(nightly) as BackupPolicy;
const vm = vmFacts();

describe('a policy', () => {
  it('has defaults, and its retention the zone of the policy', () => {
    expect(policy).toMatchObject({ capture: 'auto', priority: 50, enabled: true, retention: { timezone: 'Europe/Berlin', keepDaily: 7 } });
    expect(policy.schedules[1]).toEqual({ at: 'Sun 12:00', mode: 'full', startWithin: '1h', missed: 'run', stopAtWindowEnd: false });
  });

  it('parsed again it is the same', () => expect(parsePolicy(JSON.parse(JSON.stringify(policy)))).toEqual(policy));

  it.each([
    ['a kind nobody knows', { ...nightly, kind: 'clone' }, ''],
    ['an unknown key', { ...nightly, retentoin: {} }, ''],
    ['a schedule that cannot be read', { ...nightly, schedules: [{ at: 'now and then' }] }, 'schedules.0.at'],
    ['a window that cannot be read', { ...nightly, schedules: [{ at: 'daily', window: 'night' }] }, 'schedules.0.window'],
    ['the end of no window', { ...nightly, schedules: [{ at: 'daily', stopAtWindowEnd: true }] }, 'schedules.0.stopAtWindowEnd'],
    ['a selector that cannot be read', { ...nightly, select: { include: ['everything'] } }, 'select.include.0'],
    ['a zone of another planet', { ...nightly, timezone: 'Mars/Olympus' }, 'timezone'],
    ['a retention that keeps nothing', { ...nightly, retention: { keepDaily: 0 } }, 'retention'],
    ['a retention rule with a typing error', { ...nightly, retention: { keepDayly: 3 } }, 'retention'],
    ['snapshots without limit', { kind: 'snapshot', name: 'snap', timezone: 'UTC', select: nightly.select, schedules: nightly.schedules }, 'keep'],
  ])('with %s is refused, and where is said', (_title, value, path) => {
    let caught: unknown;
    try {
      parsePolicy(value);
    } catch (error) {
      caught = error;
    }
    expect(caught).toMatchObject({ code: 'POLICY_INVALID' });
    if (path !== '') expect((caught as { details: { issues: { path: string }[] } }).details.issues.map((issue) => issue.path)).toContain(path);
  });

  it('says of what is not there that it is missing', () => {
    const { timezone, schedules, ...rest } = nightly;
    expect(() => parsePolicy({ ...rest, schedules: [{ mode: 'full' }] })).toThrow(/✖ is missing\n {2}→ at timezone\n✖ is missing\n {2}→ at schedules\[0\]\.at/);
  });

  it('knows its next runs over all schedules', () => {
    const runs = nextRuns(compilePolicy(policy, 0), at('2026-11-28T00:00Z'), 4).map(
      ({ atMs, schedule }) => `${new Date(atMs).toISOString().slice(0, 16)} ${schedule.mode}`,
    );
    expect(runs).toEqual(['2026-11-28T21:00 auto', '2026-11-29T11:00 full', '2026-11-29T21:00 auto', '2026-11-30T21:00 auto']);
  });

  it('allows by default twice the longest time between two runs', () => {
    const now = at('2026-11-28T00:00Z');
    expect(compilePolicy(policy, now).rpoMs).toBe(2 * 24 * HOUR_MS);
    const working = { ...policy, schedules: [{ ...policy.schedules[0], at: 'Mon..Fri 22:00' }] } as BackupPolicy;
    expect(compilePolicy(working, now).rpoMs).toBe(2 * 72 * HOUR_MS);
    expect(compilePolicy({ ...policy, rpo: '26h' }, now).rpoMs).toBe(26 * HOUR_MS);
  });
});

describe('policies of the worst kind', () => {
  it.each(['* * * * *', '*:0/1', 'Mon *-02-29 03:00'])('are read in no time to speak of: %s', { timeout: 10_000 }, (text) => {
    const schedules = Array.from({ length: 20 }, () => ({ at: text }));
    expect(compilePolicy(parsePolicy({ ...nightly, schedules }), at('2026-10-25T00:00Z')).rpoMs).toBeGreaterThan(0);
  });
});

describe('protection', () => {
  const now = at('2026-11-28T12:00Z');
  const compiled = compilePolicy({ ...policy, rpo: '26h' }, now);
  const point = (hours: number) => ({ pointId: 'p', repository: 'main', capturedMs: now - hours * HOUR_MS });

  it.each([
    ['a point that is young enough', () => point(26), { state: 'protected' }],
    ['one that is too old', () => point(27), { state: 'out-of-rpo', policy: 'nightly', lateMs: HOUR_MS }],
    ['none', () => undefined, { state: 'unprotected', reason: 'no-restore-point', policy: 'nightly' }],
  ])('with %s', (_title, newest, expected) => {
    expect(protectionOf(vm, [compiled], newest, now)).toMatchObject(expected);
  });

  it('is the worst that any of its policies sees', () => {
    const hourly = compilePolicy({ ...policy, name: 'hourly', repository: 'other', rpo: '2h' }, now);
    const newest = (repository: string) => (repository === 'main' ? point(1) : point(3));
    expect(protectionOf(vm, [compiled, hourly], newest, now)).toMatchObject({ state: 'out-of-rpo', policy: 'hourly', policies: ['nightly', 'hourly'] });
  });

  it('says why there is none', () => {
    const none = () => undefined;
    expect(protectionOf({ ...vm, labels: [] }, [compiled], none, now)).toMatchObject({ state: 'unprotected', reason: 'no-policy' });
    expect(protectionOf({ ...vm, name: 'web-test' }, [compiled], none, now)).toMatchObject({ state: 'excluded', reason: 'the policy excludes name=*-test' });
    expect(protectionOf({ ...vm, attributes: { ONEVAULT_EXCLUDE: 'cattle' } }, [compiled], none, now)).toEqual({ state: 'excluded', reason: 'cattle' });
    expect(protectionOf(vm, [compilePolicy({ ...policy, enabled: false }, now)], none, now)).toMatchObject({ reason: 'no-policy' });
  });
});
