import { Checkbox } from '@mantine/core';
import { useState } from 'react';
import type { Finding } from '../api/answers.ts';
import { plural } from '../show/format.ts';
import { Notice } from '../show/notice.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { SeverityStatus } from '../show/status.tsx';

const RANK = { error: 0, warning: 1, unknown: 2, ok: 3 } as const;
const COLUMNS: readonly Column<Finding>[] = [
  { title: 'Verdict', cell: ({ severity }) => <SeverityStatus severity={severity} /> },
  { title: 'Area', cell: ({ area }) => area },
  {
    title: 'What',
    cell: ({ what, code }) => (
      <>
        {what} <code className="ov-code">{code}</code>
      </>
    ),
  },
  { title: 'Why', cell: ({ why }) => why },
  { title: 'What to do', cell: ({ remedy }) => remedy ?? '' },
];

/** What the doctor found, the worst first; what is well is shown when asked for. */
export function Findings({ findings }: { readonly findings: readonly Finding[] }) {
  const [all, setAll] = useState(false);
  const bad = findings.filter(({ severity }) => severity !== 'ok');
  const shown = (all ? findings : bad).toSorted((a, b) => RANK[a.severity] - RANK[b.severity]);
  return (
    <>
      {bad.length === 0 && <Notice tone="ok">All is well: {plural(findings.length, 'check')}.</Notice>}
      {shown.length > 0 && (
        <PlainTable label="findings" columns={COLUMNS} rows={shown} keyOf={({ area, code, what, why }) => `${area} ${code} ${what} ${why}`} />
      )}
      <div style={{ padding: '0.5rem 0.75rem' }}>
        <Checkbox
          size="xs"
          label={`also what is well: ${plural(findings.length - bad.length, 'check')}`}
          checked={all}
          onChange={(event) => setAll(event.currentTarget.checked)}
        />
      </div>
    </>
  );
}
