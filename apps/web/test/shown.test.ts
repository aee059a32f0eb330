import { describe, expect, it } from 'vitest';
import { MessageCutter } from '../src/api/event-stream.ts';
import { keepingRule, ruleIn } from '../src/points/keeping-rule.ts';
import { crumbsOf, decodePath, encodePath, pathBelow } from '../src/points/path-bytes.ts';
import { placePoints } from '../src/points/timeline-layout.ts';
import { monthsOf } from '../src/policies/calendar-months.ts';
import { fieldOf, newPolicy, withField } from '../src/policies/policy-document.ts';
import { beginForm, faultOf, requestOf } from '../src/restore/restore-form.ts';
import { formatAge, formatBytes, formatDuration, formatShare } from '../src/show/format.ts';

describe('what keeps a restore point', () => {
  it.each([
    [['daily#3', 'weekly#1'], 'weekly'],
    [['last#1', 'hold:daily'], 'hold'],
    [['within-monthly'], 'monthly'],
    [['last-good'], 'last'],
    [[], 'none'],
  ] as const)('%j shows as %s', (keptBy, rule) => expect(keepingRule(keptBy)).toBe(rule));

  it('is told by the name before # and : alone', () => expect(ruleIn('hold:yearly')).toBe('hold'));
});

describe('figures in words', () => {
  it('never say that all is done before it is', () => {
    expect([formatShare(999, 1000), formatShare(1, 1000), formatShare(5, 5), formatShare(0, 0)]).toEqual(['99 %', '1 %', '100 %', '–']);
  });
  it('carry into the next unit', () => {
    expect([formatBytes(1023), formatBytes(1024 ** 2 - 1), formatBytes(1.5 * 1024 ** 3)]).toEqual(['1023 B', '1 MiB', '1.5 GiB']);
    expect([formatDuration(59_700), formatDuration(3_599_900), formatDuration(90_061_000)]).toEqual(['1 m', '1 h', '1 d 1 h']);
    expect([formatAge(0, 7_200_000), formatAge(7_200_000, 0)]).toEqual(['2 h ago', 'in 2 h']);
  });
});

describe('the line of restore points', () => {
  it('joins those that cannot be told apart under the newest', () => {
    const placed = placePoints([10, 11, 50, 200], (at) => at, { fromMs: 0, toMs: 100 }, 2);
    expect(placed.map(({ points }) => points)).toEqual([[11, 10], [50]]);
  });
  it('has each on its day of a month that begins with its weekday', () => {
    const capturedAt = new Date(2026, 10, 3, 12).toISOString();
    const [month] = monthsOf([{ pointId: 'p', vmId: 1, capturedAt, keptBy: [] }]);
    expect(month?.weeks[0]?.map(({ day }) => day)).toEqual([undefined, undefined, undefined, undefined, undefined, undefined, 1]);
    expect(month?.weeks[1]?.[1]).toMatchObject({ day: 3, points: [{ pointId: 'p' }] });
  });
});

describe('what is asked of the server', () => {
  it('leaves open what was left open', () => {
    const point = { repository: 'main', id: 'p-1' };
    const form = { ...beginForm(undefined, 'web-2'), networks: { prod: '', old: '4' } };
    expect(requestOf(form, point)).toEqual({
      kind: 'restore',
      repository: 'main',
      pointId: 'p-1',
      name: 'web-2',
      method: 'auto',
      hold: false,
      verify: true,
      networks: { old: '4' },
    });
    expect(faultOf({ ...form, name: ' ' })).toBeDefined();
  });
  it('keeps of a policy what the form does not know, in its order', () => {
    const doc = { ...newPolicy('backup', 'main', 'UTC'), commands: { before: { command: ['x'] } } };
    const changed = withField(withField(doc, ['retention', 'keepDaily'], 9), ['retention', 'keepLast'], undefined);
    expect(fieldOf(changed, ['retention'])).toEqual({ keepDaily: 9, keepWeekly: 4, keepMonthly: 12 });
    expect(Object.keys(changed)).toEqual(Object.keys(doc));
  });
  it('names files by their bytes, also where they are no text', () => {
    const path = pathBelow(pathBelow('', encodePath(new Uint8Array([0xff]))), encodePath(new TextEncoder().encode('a')));
    expect([...decodePath(path)]).toEqual([0x2f, 0xff, 0x2f, 0x61]);
    expect(crumbsOf(path).map(({ text }) => text)).toEqual(['\ufffd', 'a']);
  });
});

describe('a stream of events', () => {
  it('is cut into messages wherever the network cuts it', () => {
    const text = ': hello\n\nid: 7\nevent: run.started\ndata: {"a":\ndata: 1}\n\nevent: end\ndata: {}\n\n';
    for (let at = 0; at <= text.length; at += 1) {
      const cutter = new MessageCutter();
      expect([...cutter.push(text.slice(0, at)), ...cutter.push(text.slice(at))]).toEqual([
        { id: '7', name: 'run.started', data: '{"a":\n1}' },
        { id: undefined, name: 'end', data: '{}' },
      ]);
    }
  });
});
