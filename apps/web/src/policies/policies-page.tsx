import { IconPlus } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { PolicySummary } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { useMay } from '../session/session.tsx';
import { formatDuration, plural } from '../show/format.ts';
import { LinkButton } from '../show/link-button.tsx';
import { Empty, Loaded, Page, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { Status } from '../show/status.tsx';
import { When } from '../show/when.tsx';

const COLUMNS: readonly Column<PolicySummary>[] = [
  {
    title: 'Policy',
    cell: ({ name, document }) => (
      <>
        <Link to="/policies/$name" params={{ name }}>
          {name}
        </Link>
        {typeof document['description'] === 'string' && <div className="ov-dim">{document['description']}</div>}
      </>
    ),
  },
  { title: 'Kind', cell: ({ kind }) => kind },
  { title: 'State', cell: ({ enabled }) => (enabled ? <Status tone="ok">on</Status> : <Status tone="off">off</Status>) },
  { title: 'Is for', cell: ({ matches }) => plural(matches, 'VM'), right: true },
  { title: 'Next run', cell: ({ nextRunAt }) => <When at={nextRunAt} /> },
  { title: 'RPO', cell: ({ rpoMs }) => (rpoMs === undefined ? '–' : formatDuration(rpoMs)) },
  { title: 'To', cell: ({ document }) => (typeof document['repository'] === 'string' ? document['repository'] : '–') },
];

export function PoliciesPage() {
  const admin = useMay('admin');
  const policies = useQuery({ queryKey: ['policies'], queryFn: ({ signal }) => call('listPolicies', {}, { signal }) });
  return (
    <Page
      title="Policies"
      name="Policies"
      lead="What is backed up or snapshotted, when, to where, and for how long. A VM may be in several."
      actions={
        admin && (
          <>
            <LinkButton to="/policies/new" search={{ kind: 'backup' }} variant="filled" leftSection={<IconPlus size={14} />}>
              Backup policy
            </LinkButton>
            <LinkButton to="/policies/new" search={{ kind: 'snapshot' }} leftSection={<IconPlus size={14} />}>
              Snapshot policy
            </LinkButton>
          </>
        )
      }
    >
      <Panel flush>
        <Loaded asked={policies}>
          {(all) =>
            all.length === 0 ? (
              <Empty>There is none: nothing is backed up by itself.</Empty>
            ) : (
              <PlainTable label="policies" columns={COLUMNS} rows={all} keyOf={({ name }) => name} />
            )
          }
        </Loaded>
      </Panel>
    </Page>
  );
}
