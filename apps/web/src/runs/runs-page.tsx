import { NativeSelect } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { call } from '../api/calls.ts';
import { Empty, Loaded, Page, Panel } from '../show/page.tsx';
import { ShowOlder } from '../show/show-older.tsx';
import { idIn } from '../vms/id-in.ts';
import { kindTitle, RUN_KINDS } from './run-request-text.ts';
import { RunTable } from './run-table.tsx';

const route = getRouteApi('/runs');
const STATES = ['queued', 'running', 'succeeded', 'degraded', 'failed', 'cancelled', 'skipped'];
const PAGE = 50;

export function RunsPage() {
  const { state, kind, vmId, policy } = route.useSearch();
  const navigate = useNavigate({ from: '/runs' });
  const set = (change: { state?: string; kind?: string }): void =>
    void navigate({ to: '/runs', search: (before) => ({ ...before, ...change }), replace: true });
  const pages = useInfiniteQuery({
    queryKey: ['runs', 'list', { state, kind, vmId, policy }],
    queryFn: ({ pageParam, signal }) => call('listRuns', { query: { state, kind, policy, vmId: idIn(vmId), limit: PAGE, cursor: pageParam } }, { signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next,
  });
  return (
    <Page
      title="Runs"
      name="Runs"
      lead={
        (vmId ?? policy) !== undefined && (
          <span>
            {vmId !== undefined && `of VM ${vmId} `}
            {policy !== undefined && `of policy ${policy} `}
            <Link to="/runs">show all</Link>
          </span>
        )
      }
    >
      <Panel flush>
        <div className="ov-form-line" style={{ padding: '0.6rem 0.75rem', maxWidth: '30rem' }}>
          <NativeSelect
            aria-label="state"
            data={[{ value: '', label: 'any state' }, ...STATES]}
            value={state ?? ''}
            onChange={(event) => set({ state: event.currentTarget.value })}
          />
          <NativeSelect
            aria-label="kind"
            data={[{ value: '', label: 'any kind' }, ...RUN_KINDS.map((value) => ({ value, label: kindTitle(value) }))]}
            value={kind ?? ''}
            onChange={(event) => set({ kind: event.currentTarget.value })}
          />
        </div>
        <Loaded asked={{ data: pages.data?.pages.flatMap(({ items }) => items), error: pages.error, refetch: pages.refetch }} rows={8}>
          {(runs) => (
            <>
              {runs.length === 0 ? (
                <Empty>{(state ?? '') + (kind ?? '') + (vmId ?? '') + (policy ?? '') === '' ? 'Nothing has run yet.' : 'No run fits.'}</Empty>
              ) : (
                <RunTable runs={runs} label="runs, newest first" />
              )}
              <ShowOlder pages={pages} />
            </>
          )}
        </Loaded>
      </Panel>
    </Page>
  );
}
