import { useQueries } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Drill } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { formatDuration } from '../show/format.ts';
import { Empty, Loaded, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { Status } from '../show/status.tsx';
import { When } from '../show/when.tsx';

const SHOWN = 20;

const COLUMNS: readonly Column<Drill>[] = [
  { title: 'Outcome', cell: ({ outcome }) => <Status tone={outcome === 'passed' ? 'ok' : 'bad'}>{outcome}</Status> },
  {
    title: 'VM',
    cell: ({ vmId, vmName }) =>
      vmId === undefined ? (
        (vmName ?? '–')
      ) : (
        <Link to="/vms/$vmId" params={{ vmId: String(vmId) }}>
          {vmName ?? `VM ${vmId}`}
        </Link>
      ),
  },
  {
    title: 'Restore point',
    cell: ({ repository, pointId }) => (
      <Link to="/points/$repository/$pointId" params={{ repository, pointId }}>
        {pointId}
      </Link>
    ),
  },
  { title: 'Made', cell: ({ finishedAt }) => <When at={finishedAt} age /> },
  { title: 'Alive after', cell: ({ rtoMs }) => (rtoMs === undefined ? '–' : formatDuration(rtoMs)), right: true },
  { title: 'Why', cell: ({ failure }) => failure && <span title={failure.code}>{failure.text}</span> },
];

/** Test restores, newest first: of repositories that can be asked. */
export function DrillsPanel({ repositories }: { readonly repositories: readonly string[] }) {
  const asked = useQueries({
    queries: repositories.map((repository) => ({
      queryKey: ['drills', repository],
      queryFn: ({ signal }: { readonly signal: AbortSignal }) => call('listDrills', { params: { repository }, query: { limit: SHOWN } }, { signal }),
    })),
    combine: (all) => ({
      data: all.every(({ isPending }) => isPending) && all.length > 0 ? undefined : all.flatMap(({ data }) => data ?? []),
      error: all.find(({ error }) => error !== null)?.error ?? null,
      refetch: () => Promise.all(all.map(({ refetch }) => refetch())),
    }),
  });
  return (
    <Panel title="Drills" flush>
      <Loaded asked={asked}>
        {(drills) =>
          drills.length === 0 ? (
            <Empty>None yet. A drill restores a point to a VM that is thrown away, and looks whether it lives: begin one on the page of a restore point.</Empty>
          ) : (
            <PlainTable
              label="test restores, newest first"
              columns={COLUMNS}
              rows={drills.toSorted((a, b) => b.finishedAt.localeCompare(a.finishedAt)).slice(0, SHOWN)}
              keyOf={({ repository, id }) => `${repository} ${id}`}
            />
          )
        }
      </Loaded>
    </Panel>
  );
}
