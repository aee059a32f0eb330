import { NativeSelect, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { IconSearch } from '@tabler/icons-react';
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useCallback } from 'react';
import type { VmSummary } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { formatDuration, plural } from '../show/format.ts';
import { Empty, Loaded, Page, Panel } from '../show/page.tsx';
import { ProtectionStatus, Status } from '../show/status.tsx';
import { type VirtualColumn, VirtualTable } from '../show/virtual-table.tsx';
import { When } from '../show/when.tsx';

const route = getRouteApi('/vms');
/** Rows a page: the first screen and some. */
const PAGE = 200;

const FILTERS = [
  { value: '', label: 'any protection' },
  { value: 'protected', label: 'protected' },
  { value: 'out-of-rpo', label: 'out of RPO' },
  { value: 'unprotected', label: 'unprotected' },
  { value: 'excluded', label: 'excluded' },
];
const SORTS = [
  { value: 'name', label: 'by name' },
  { value: 'id', label: 'by id' },
  { value: 'newest-point', label: 'by newest restore point' },
  { value: 'protection', label: 'worst protected first' },
];

const COLUMNS: readonly VirtualColumn<VmSummary>[] = [
  { title: 'Name', width: 'minmax(9rem, 1.5fr)', cell: (vm) => <VmLink vm={vm} /> },
  { title: 'Id', width: '4rem', right: true, cell: ({ id }) => <span className="ov-dim">{id}</span> },
  { title: 'Protection', width: '8rem', cell: ({ protection }) => <ProtectionStatus protection={protection} /> },
  { title: 'Why', width: 'minmax(11rem, 2fr)', cell: (vm) => <Why vm={vm} /> },
  { title: 'Newest point', width: '6.5rem', cell: ({ newestPoint }) => <When at={newestPoint?.capturedAt} age /> },
  { title: 'Points', width: '3.5rem', right: true, cell: ({ points }) => points },
  { title: 'State', width: '7rem', cell: (vm) => <VmState vm={vm} /> },
  { title: 'Owner', width: 'minmax(5rem, 1fr)', cell: ({ owner, group }) => <span title={`group ${group}`}>{owner}</span> },
  { title: 'Labels', width: 'minmax(4rem, 1fr)', cell: ({ labels }) => <span className="ov-dim">{labels.join(', ')}</span> },
];

export function VmsPage() {
  const { search, protection, sort = 'name' } = route.useSearch();
  const navigate = useNavigate({ from: '/vms' });
  const set = (change: { search?: string; protection?: string; sort?: string }): void => {
    void navigate({ to: '/vms', search: (before) => ({ ...before, ...change }), replace: true });
  };
  const setSearch = useDebouncedCallback((text: string) => set({ search: text }), 250);
  const pages = useInfiniteQuery({
    queryKey: ['vms', { search, protection, sort }],
    queryFn: ({ pageParam, signal }) => call('listVms', { query: { search, protection, sort, limit: PAGE, cursor: pageParam } }, { signal }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next,
    placeholderData: keepPreviousData,
  });
  const { fetchNextPage, hasNextPage, isFetching, isError } = pages;
  // What was refused is asked again by whoever reads why, not by the list for as long as its end is in sight.
  const more = useCallback(() => {
    if (hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [fetchNextPage, hasNextPage, isFetching, isError]);
  const rows = pages.data?.pages.flatMap(({ items }) => items);
  return (
    <Page title="VMs" name="VMs" lead={rows === undefined ? undefined : `${plural(rows.length, 'VM')}${hasNextPage ? ' so far; more come as you scroll' : ''}`}>
      <Panel flush>
        <div className="ov-form-line" style={{ padding: '0.6rem 0.75rem' }}>
          <TextInput
            data-search
            aria-label="search by name or selector"
            placeholder="web, or label=prod and name=web-*"
            title="text that the name contains, or a selector: label=prod and name=web-*"
            leftSection={<IconSearch size={14} />}
            defaultValue={search ?? ''}
            onChange={(event) => setSearch(event.currentTarget.value)}
            style={{ flex: '3 1 14rem' }}
          />
          <NativeSelect aria-label="protection" data={FILTERS} value={protection ?? ''} onChange={(event) => set({ protection: event.currentTarget.value })} />
          <NativeSelect aria-label="order" data={SORTS} value={sort} onChange={(event) => set({ sort: event.currentTarget.value })} />
        </div>
        <Loaded asked={{ data: rows, error: pages.error, refetch: pages.refetch }} rows={12}>
          {(vms) =>
            vms.length === 0 ? (
              <Empty>
                {(search ?? '') === '' && (protection ?? '') === ''
                  ? 'OpenNebula shows you no VM, and no restore point is of one that you may see.'
                  : 'No VM fits.'}
              </Empty>
            ) : (
              <VirtualTable
                label="VMs"
                columns={COLUMNS}
                rows={vms}
                card={(vm) => <VmCard vm={vm} />}
                onOpen={({ id }) => void navigate({ to: '/vms/$vmId', params: { vmId: String(id) } })}
                onNearEnd={more}
                hasMore={hasNextPage}
              />
            )
          }
        </Loaded>
      </Panel>
    </Page>
  );
}

function VmLink({ vm }: { readonly vm: VmSummary }) {
  return (
    <Link to="/vms/$vmId" params={{ vmId: String(vm.id) }} preload={false} tabIndex={-1}>
      {vm.name}
    </Link>
  );
}

function Why({ vm: { protection, points } }: { readonly vm: VmSummary }) {
  switch (protection.state) {
    case 'protected':
      return <span className="ov-dim">{protection.policies.join(', ')}</span>;
    case 'out-of-rpo':
      return (
        <span title={`for the policy ${protection.policy}`}>
          late by {formatDuration(protection.lateMs)} for {protection.policy}
        </span>
      );
    case 'unprotected':
      return (
        <span>
          {protection.reason === 'no-policy'
            ? 'no policy selects it'
            : `no ${points === 0 ? '' : 'usable '}restore point for ${protection.policy ?? 'its policy'}`}
        </span>
      );
    case 'excluded':
      return <span className="ov-dim">{protection.reason}</span>;
  }
}

function VmState({ vm }: { readonly vm: VmSummary }) {
  if (vm.running !== undefined) return <Status tone="busy">in a run</Status>;
  return <span className="ov-dim">{vm.exists ? vm.state.toLowerCase() : 'gone'}</span>;
}

function VmCard({ vm }: { readonly vm: VmSummary }) {
  return (
    <>
      <span>
        <VmLink vm={vm} /> <span className="ov-dim">{vm.id}</span>
      </span>
      <span>
        <ProtectionStatus protection={vm.protection} />{' '}
        <span className="ov-dim">
          <When at={vm.newestPoint?.capturedAt} age /> · {plural(vm.points, 'point')} · {vm.owner}
        </span>
      </span>
    </>
  );
}
