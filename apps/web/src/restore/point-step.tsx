import { TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Point, VmSummary } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { RuleBadge } from '../points/rule-badge.tsx';
import { formatBytes, plural } from '../show/format.ts';
import { Empty, Loaded, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { When } from '../show/when.tsx';
import { PointState } from '../vms/vm-points.tsx';

const VMS: readonly Column<VmSummary>[] = [
  {
    title: 'VM',
    cell: ({ id, name }) => (
      <Link to="/restore" search={{ vmId: String(id) }}>
        {name}
      </Link>
    ),
  },
  { title: 'Id', cell: ({ id }) => id, right: true },
  { title: 'State', cell: ({ exists, state }) => (exists ? state.toLowerCase() : 'gone from OpenNebula') },
  { title: 'Newest point', cell: ({ newestPoint }) => <When at={newestPoint?.capturedAt} age /> },
  { title: 'Points', cell: ({ points }) => points, right: true },
];

const POINTS: readonly Column<Point>[] = [
  {
    title: 'Captured',
    cell: ({ repository, id, vmId, capturedAt }) => (
      <Link to="/restore" search={{ repository, pointId: id, vmId: String(vmId) }}>
        <When at={capturedAt} />
      </Link>
    ),
  },
  { title: 'Age', cell: ({ capturedAt }) => <When at={capturedAt} age /> },
  { title: 'State', cell: (point) => <PointState point={point} /> },
  { title: 'Kept by', cell: ({ keptBy }) => <RuleBadge keptBy={keptBy} /> },
  { title: 'Size', cell: ({ sizeBytes }) => formatBytes(sizeBytes), right: true },
  { title: 'Repository', cell: ({ repository }) => repository },
];

/** First the VM, then its restore point. */
export function PointStep({ vmId }: { readonly vmId: number | undefined }) {
  return vmId === undefined ? <ChooseVm /> : <ChoosePoint vmId={vmId} />;
}

function ChooseVm() {
  const [search, setSearch] = useState('');
  const [asked] = useDebouncedValue(search, 250);
  const vms = useQuery({
    queryKey: ['vms', 'restore', asked],
    queryFn: ({ signal }) => call('listVms', { query: { search: asked, sort: 'newest-point', limit: 50 } }, { signal }),
    placeholderData: keepPreviousData,
  });
  return (
    <Panel title="Which VM? Those that are gone are here too" flush>
      <div style={{ padding: '0.6rem 0.75rem' }}>
        <TextInput
          data-search
          aria-label="find a VM"
          placeholder="name, or a selector"
          leftSection={<IconSearch size={14} />}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
      </div>
      <Loaded asked={vms}>
        {({ items }) => {
          const restorable = items.filter(({ points }) => points > 0);
          if (restorable.length === 0) return <Empty>{items.length === 0 ? 'No VM fits.' : 'None of them has a restore point.'}</Empty>;
          return <PlainTable label="VMs with restore points" columns={VMS} rows={restorable} keyOf={({ id }) => id} />;
        }}
      </Loaded>
    </Panel>
  );
}

function ChoosePoint({ vmId }: { readonly vmId: number }) {
  const points = useQuery({
    queryKey: ['points', vmId, 'restore'],
    queryFn: ({ signal }) => call('listPointsOfVm', { params: { vmId }, query: { limit: 200 } }, { signal }),
  });
  return (
    <Panel
      title="Which restore point?"
      flush
      actions={
        <Link to="/restore" search={{}}>
          another VM
        </Link>
      }
    >
      <Loaded asked={points}>
        {({ items, next }) =>
          items.length === 0 ? (
            <Empty>It has none.</Empty>
          ) : (
            <>
              <PlainTable label="restore points" columns={POINTS} rows={items} keyOf={({ repository, id }) => `${repository} ${id}`} />
              {next !== undefined && (
                <Empty>
                  The newest {plural(items.length, 'point')}.{' '}
                  <Link to="/vms/$vmId" params={{ vmId: String(vmId) }}>
                    Older ones
                  </Link>{' '}
                  are on the page of the VM.
                </Empty>
              )}
            </>
          )
        }
      </Loaded>
    </Panel>
  );
}
