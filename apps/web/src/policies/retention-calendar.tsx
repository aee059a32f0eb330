import { NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { CalendarDay } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { keepingRule, RULE_LETTERS, RULE_TEXTS } from '../points/keeping-rule.ts';
import { RuleBadge, RuleLegend } from '../points/rule-badge.tsx';
import { formatLocal } from '../show/format.ts';
import { Empty, Loaded, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { When } from '../show/when.tsx';
import { type CalendarCell, monthsOf } from './calendar-months.ts';
import type { PolicyDoc } from './policy-document.ts';

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const DAYS = ['Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa', 'Su'];
/** Restore points of one VM: enough for years of every rule. */
const MOST = 500;

const COLUMNS: readonly Column<CalendarDay>[] = [
  { title: 'Captured', cell: ({ capturedAt }) => <When at={capturedAt} /> },
  { title: 'Kept by', cell: ({ keptBy }) => <RuleBadge keptBy={keptBy} /> },
  { title: 'Goes', cell: ({ goesOn }) => <When at={goesOn} /> },
];

/** Each restore point of a VM on its day, by the rule that keeps it, today or on another day. */
export function RetentionCalendar({ name, document }: { readonly name: string; readonly document: PolicyDoc }) {
  const preview = useQuery({
    queryKey: ['policy-preview', document],
    queryFn: ({ signal }) => call('previewPolicy', { body: document }, { signal }),
    retry: false,
  });
  const vms = (preview.data?.vms ?? []).filter(({ verdict }) => verdict === 'selected');
  const [chosen, setChosen] = useState<number>();
  const [on, setOn] = useState('');
  const vmId = chosen ?? vms[0]?.id;
  const calendar = useQuery({
    queryKey: ['calendar', name, vmId, on],
    queryFn: ({ signal }) =>
      call(
        'retentionCalendar',
        { params: { name }, query: { vmId, limit: MOST, ...(on !== '' && { on: new Date(`${on}T12:00:00`).toISOString() }) } },
        { signal },
      ),
    enabled: vmId !== undefined,
  });
  return (
    <Panel
      title="Retention calendar"
      actions={
        <>
          <NativeSelect
            aria-label="of which VM"
            data={vms.slice(0, 200).map(({ id, name: vmName }) => ({ value: String(id), label: `${vmName} (${id})` }))}
            value={String(vmId ?? '')}
            onChange={(event) => setChosen(Number(event.currentTarget.value))}
          />
          <TextInput type="date" aria-label="as it would be on" title="as it would be on" value={on} onChange={(event) => setOn(event.currentTarget.value)} />
        </>
      }
    >
      {vmId === undefined ? (
        <Empty>The policy is for no VM.</Empty>
      ) : (
        <Loaded asked={calendar}>
          {({ items }) => (items.length === 0 ? <Empty>The VM has no restore point of it yet.</Empty> : <Months points={items} />)}
        </Loaded>
      )}
    </Panel>
  );
}

function Months({ points }: { readonly points: readonly CalendarDay[] }) {
  return (
    <>
      <RuleLegend />
      <div className="ov-months">
        {monthsOf(points).map(({ key, year, month, weeks }) => (
          <table key={key} className="ov-month">
            <caption>
              {MONTHS[month - 1]} {year}
            </caption>
            <thead>
              <tr>
                {DAYS.map((day) => (
                  <th key={day} scope="col">
                    {day}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {weeks.map((week, index) => (
                <tr key={index}>
                  {week.map((cell, at) => (
                    <Day key={at} cell={cell} />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        ))}
      </div>
      <details>
        <summary>As a list</summary>
        <PlainTable label="restore points and what keeps them" columns={COLUMNS} rows={points} keyOf={({ pointId }) => pointId} />
      </details>
    </>
  );
}

function Day({ cell: { day, points } }: { readonly cell: CalendarCell }) {
  if (day === undefined) return <td className="ov-out" />;
  const rule = keepingRule(points.flatMap(({ keptBy }) => keptBy));
  const text = points.map(({ capturedAt, keptBy }) => `${formatLocal(new Date(capturedAt))}: ${keptBy.join(', ') || RULE_TEXTS.none}`).join('\n');
  return (
    <td title={text}>
      {day}
      {points.length > 0 && (
        <span className="ov-rule">
          <i className={`ov-rule-${rule}`} aria-hidden>
            {points.length > 1 ? points.length : RULE_LETTERS[rule]}
          </i>
          <span className="ov-unseen">{text}</span>
        </span>
      )}
    </td>
  );
}
