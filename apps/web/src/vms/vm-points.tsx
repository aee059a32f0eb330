import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Point } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { PointTimeline } from '../points/point-timeline.tsx';
import { RuleBadge } from '../points/rule-badge.tsx';
import { useMay } from '../session/session.tsx';
import { formatBytes } from '../show/format.ts';
import { Empty, Loaded, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { ShowOlder } from '../show/show-older.tsx';
import { Status } from '../show/status.tsx';
import { When } from '../show/when.tsx';

const COLUMNS: readonly Column<Point>[] = [
  { title: 'Captured', cell: (point) => <PointLink point={point} /> },
  { title: 'Kept by', cell: ({ keptBy }) => <RuleBadge keptBy={keptBy} /> },
  { title: 'Goes', cell: ({ goesOn }) => (goesOn === undefined ? <span className="ov-dim">not by a rule</span> : <When at={goesOn} age />) },
  { title: 'State', cell: (point) => <PointState point={point} /> },
  { title: 'Mode', cell: ({ mode }) => mode },
  { title: 'Size', cell: ({ sizeBytes }) => formatBytes(sizeBytes), right: true },
  { title: 'New in it', cell: ({ storedBytes }) => formatBytes(storedBytes), right: true },
  { title: 'Repository', cell: ({ repository }) => repository },
];
const RESTORE: Column<Point> = {
  title: 'Actions',
  quiet: true,
  cell: ({ repository, id, vmId }) => (
    <Link to="/restore" search={{ repository, pointId: id, vmId: String(vmId) }}>
      Restore
    </Link>
  ),
};
const PAGE = 100;

export function VmPoints({ vmId }: { readonly vmId: number }) {
  const operator = useMay('operator');
  const pages = useInfiniteQuery({
    queryKey: ['points', vmId],
    queryFn: ({ pageParam, signal }) => call('listPointsOfVm', { params: { vmId }, query: { limit: PAGE, cursor: pageParam } }, { signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next,
  });
  return (
    <Panel title="Restore points" flush>
      <Loaded asked={{ data: pages.data?.pages.flatMap(({ items }) => items), error: pages.error, refetch: pages.refetch }}>
        {(points) =>
          points.length === 0 ? (
            <Empty>There is none yet.</Empty>
          ) : (
            <>
              <div className="ov-panel-body">
                <PointTimeline points={points} />
              </div>
              <PlainTable
                label="restore points, newest first"
                columns={operator ? [...COLUMNS, RESTORE] : COLUMNS}
                rows={points}
                keyOf={({ repository, id }) => `${repository} ${id}`}
              />
              <ShowOlder pages={pages} />
            </>
          )
        }
      </Loaded>
    </Panel>
  );
}

function PointLink({ point: { repository, id, capturedAt } }: { readonly point: Point }) {
  return (
    <Link to="/points/$repository/$pointId" params={{ repository, pointId: id }}>
      <When at={capturedAt} />
    </Link>
  );
}

export function PointState({ point: { damaged, held, consistency } }: { readonly point: Point }) {
  if (damaged) return <Status tone="bad">damaged</Status>;
  return (
    <Status tone={held === undefined ? 'ok' : 'wait'} title={held?.reason}>
      {held === undefined ? consistency : `held, ${consistency}`}
    </Status>
  );
}
