import { Button } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Orphan, ProxyVm } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { useMay } from '../session/session.tsx';
import { formatBytes } from '../show/format.ts';
import { Notice, ProblemNotice } from '../show/notice.tsx';
import { Empty, Loaded, Page, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { Status } from '../show/status.tsx';
import { newKey, useStartRun } from '../show/use-act.ts';
import { When } from '../show/when.tsx';
import { DatastoreMatrix } from './datastore-matrix.tsx';
import { Findings } from './findings.tsx';
import { Reach } from './reach.tsx';

const PROXY_TONES = { ready: 'ok', busy: 'busy', lost: 'bad' } as const;
const PROXIES: readonly Column<ProxyVm>[] = [
  {
    title: 'Proxy VM',
    cell: ({ vmId, name }) =>
      vmId === undefined ? (
        name
      ) : (
        <Link to="/vms/$vmId" params={{ vmId: String(vmId) }}>
          {name} ({vmId})
        </Link>
      ),
  },
  { title: 'Worker', cell: ({ worker }) => worker },
  { title: 'State', cell: ({ state }) => <Status tone={PROXY_TONES[state]}>{state}</Status> },
  { title: 'Runs', cell: ({ running, slots }) => `${running} of ${slots}`, right: true },
  { title: 'Last heard', cell: ({ lastSeenAt }) => <When at={lastSeenAt} age /> },
];

export function InfrastructurePage() {
  const admin = useMay('admin');
  const proxies = useQuery({ queryKey: ['proxies'], queryFn: ({ signal }) => call('listProxies', {}, { signal }), refetchInterval: 30_000 });
  return (
    <Page title="Proxies and doctor" name="Proxies and doctor" lead="What the backups run on, and what would go wrong.">
      {admin && <DoctorPanel />}
      <Panel title="Proxies" flush>
        <Loaded asked={proxies}>
          {(all) =>
            all.length === 0 ? (
              <Notice tone="bad" title="No worker has said anything yet">
                Nothing can be backed up. Start the server in a proxy VM, or a worker with <code>onevault server --role worker</code>.
              </Notice>
            ) : (
              <PlainTable label="proxies" columns={PROXIES} rows={all} keyOf={({ worker }) => worker} />
            )
          }
        </Loaded>
      </Panel>
      {proxies.data !== undefined && proxies.data.length > 0 && <Reach proxies={proxies.data} />}
      <DatastoreMatrix />
      {admin && <OrphansPanel />}
    </Page>
  );
}

/** Looks at OpenNebula, the proxy VM and the repositories: takes some seconds, so it says when it last did. */
function DoctorPanel() {
  const findings = useQuery({ queryKey: ['doctor'], queryFn: ({ signal }) => call('doctor', {}, { signal }), staleTime: 5 * 60_000 });
  return (
    <Panel
      title="Doctor"
      flush
      actions={
        <Button leftSection={<IconRefresh size={14} />} onClick={() => void findings.refetch()} loading={findings.isFetching}>
          Look again
        </Button>
      }
    >
      <Loaded asked={findings}>{(all) => <Findings findings={all} />}</Loaded>
    </Panel>
  );
}

const ORPHANS: readonly Column<Orphan>[] = [
  { title: 'What', cell: ({ kind, id }) => `${kind}${id === undefined ? '' : ` ${id}`}` },
  { title: 'Name', cell: ({ name }) => <code>{name}</code> },
  { title: 'Where', cell: ({ where }) => where ?? '–' },
  { title: 'Size', cell: ({ sizeBytes }) => (sizeBytes === undefined ? '–' : formatBytes(sizeBytes)), right: true },
  { title: 'Since', cell: ({ since }) => <When at={since} age /> },
  {
    title: 'Of run',
    cell: ({ runId }) =>
      runId === undefined ? (
        '–'
      ) : (
        <Link to="/runs/$runId" params={{ runId }}>
          {runId}
        </Link>
      ),
  },
];

function OrphansPanel() {
  const orphans = useQuery({ queryKey: ['orphans'], queryFn: ({ signal }) => call('listOrphans', {}, { signal }), staleTime: 60_000 });
  const [key] = useState(newKey);
  const recover = useStartRun();
  return (
    <Panel
      title="Orphans in OpenNebula"
      id="orphans"
      flush
      actions={
        (orphans.data?.length ?? 0) > 0 && (
          <Button loading={recover.isPending} onClick={() => recover.mutate({ request: { kind: 'recover' }, key })}>
            Take them away
          </Button>
        )
      }
    >
      {recover.error !== null && <ProblemNotice error={recover.error} />}
      <Loaded asked={orphans}>
        {(all) =>
          all.length === 0 ? (
            <Empty>None: what runs made in the cloud is gone again.</Empty>
          ) : (
            <PlainTable label="what dead runs left" columns={ORPHANS} rows={all} keyOf={({ kind, id, name }) => `${kind} ${id} ${name}`} />
          )
        }
      </Loaded>
    </Panel>
  );
}
