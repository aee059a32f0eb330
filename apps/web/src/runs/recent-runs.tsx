import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { call } from '../api/calls.ts';
import { Empty, Loaded, Panel } from '../show/page.tsx';
import { RunTable } from './run-table.tsx';

/** The last runs of a VM, a policy or a kind. */
export function RecentRuns({
  vmId,
  kind,
  policy,
  title = 'Runs',
}: {
  readonly vmId?: number;
  readonly kind?: string;
  readonly policy?: string;
  readonly title?: string;
}) {
  const runs = useQuery({
    queryKey: ['runs', 'recent', { vmId, kind, policy }],
    queryFn: ({ signal }) => call('listRuns', { query: { vmId, kind, policy, limit: 10 } }, { signal }),
  });
  const search = { ...(vmId !== undefined && { vmId: String(vmId) }), ...(kind !== undefined && { kind }), ...(policy !== undefined && { policy }) };
  return (
    <Panel
      title={title}
      flush
      actions={
        <Link to="/runs" search={search}>
          All
        </Link>
      }
    >
      <Loaded asked={runs}>{({ items }) => (items.length === 0 ? <Empty>None yet.</Empty> : <RunTable runs={items} label={title} />)}</Loaded>
    </Panel>
  );
}
