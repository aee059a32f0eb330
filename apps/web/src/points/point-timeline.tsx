import { SegmentedControl } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Point } from '../api/answers.ts';
import { formatLocal, formatLocalDay, plural } from '../show/format.ts';
import { useNow } from '../show/when.tsx';
import { keepingRule, RULE_LETTERS, RULE_TEXTS } from './keeping-rule.ts';
import { RuleLegend } from './rule-badge.tsx';
import { placePoints, spanOf, ticksOf } from './timeline-layout.ts';

const SPANS = [
  { value: '14', label: '14 days' },
  { value: '60', label: '60 days' },
  { value: '400', label: '13 months' },
  { value: 'all', label: 'all' },
];

/** Restore points of a VM on a line of time, each coloured by the rule that keeps it longest. */
export function PointTimeline({ points }: { readonly points: readonly Point[] }) {
  const [days, setDays] = useState('60');
  const now = useNow();
  const at = (point: Point): number => new Date(point.capturedAt).getTime();
  const span = spanOf(points.map(at), now, days === 'all' ? undefined : Number(days));
  const placed = placePoints(points, at, span, 2.2);
  return (
    <div className="ov-stack">
      <div className="ov-row">
        <SegmentedControl size="xs" fullWidth data={SPANS} value={days} onChange={setDays} aria-label="how far back" />
        <span className="ov-dim">
          {plural(
            placed.reduce((sum, each) => sum + each.points.length, 0),
            'restore point',
          )}{' '}
          shown
        </span>
      </div>
      <div className="ov-timeline">
        <div className="ov-timeline-axis" />
        {ticksOf(span, 5).map(({ left, atMs }) => (
          <span key={left} className="ov-timeline-tick" style={{ left: `${left}%` }}>
            {formatLocalDay(new Date(atMs))}
          </span>
        ))}
        {placed.map(({ left, points: [point, ...behind] }) => {
          const rule = keepingRule([point, ...behind].flatMap(({ keptBy }) => keptBy));
          const text = `${formatLocal(new Date(point.capturedAt))}: ${point.keptBy.join(', ') || RULE_TEXTS.none}${behind.length > 0 ? `, and ${behind.length} more close by` : ''}`;
          return (
            <Link
              key={point.id}
              to="/points/$repository/$pointId"
              params={{ repository: point.repository, pointId: point.id }}
              className={`ov-timeline-point ov-rule-${rule}`}
              style={{ left: `${left}%` }}
              title={text}
            >
              {behind.length > 0 ? behind.length + 1 : RULE_LETTERS[rule]} <span className="ov-unseen">{text}</span>
            </Link>
          );
        })}
      </div>
      <RuleLegend />
    </div>
  );
}
