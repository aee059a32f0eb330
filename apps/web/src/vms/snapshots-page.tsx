import { TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { call } from '../api/calls.ts';
import { RecentRuns } from '../runs/recent-runs.tsx';
import { Empty, Loaded, Page, Panel } from '../show/page.tsx';
import { SnapshotsPanel } from './snapshots-panel.tsx';

/** Snapshots belong to a VM: find it, see its snapshots; below, what snapshot runs did lately. */
export function SnapshotsPage() {
  const [search, setSearch] = useState('');
  const [asked] = useDebouncedValue(search, 250);
  const [vmId, setVmId] = useState<number>();
  const vms = useQuery({
    queryKey: ['vms', 'snapshots', asked],
    queryFn: ({ signal }) => call('listVms', { query: { search: asked, limit: 8 } }, { signal }),
    placeholderData: keepPreviousData,
  });
  const chosen = vms.data?.items.find(({ id }) => id === vmId);
  return (
    <Page
      title="Snapshots"
      name="Snapshots"
      lead={
        <span>
          They stand on the VM’s own storage and are no backup. Snapshots on a schedule are made by <Link to="/policies">policies</Link> of kind snapshot.
        </span>
      }
    >
      <Panel title="Of a VM">
        <TextInput
          data-search
          aria-label="find a VM"
          placeholder="name, or a selector"
          leftSection={<IconSearch size={14} />}
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          style={{ maxWidth: '26rem' }}
        />
        <Loaded asked={vms} rows={2}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty>No VM fits.</Empty>
            ) : (
              <div className="ov-actions">
                {items.map(({ id, name }) => (
                  <button key={id} type="button" className="ov-pick" aria-pressed={id === vmId} onClick={() => setVmId(id)}>
                    {name} <span className="ov-dim">{id}</span>
                  </button>
                ))}
              </div>
            )
          }
        </Loaded>
      </Panel>
      {chosen !== undefined && <SnapshotsPanel key={chosen.id} vmId={chosen.id} vmName={chosen.name} />}
      <RecentRuns kind="snapshot-create" title="Snapshots taken lately" />
      <RecentRuns kind="snapshot-revert" title="Reverts" />
    </Page>
  );
}
