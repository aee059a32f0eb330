import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Overview } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { StorageBar } from '../repositories/storage-bar.tsx';
import { LiveRuns } from '../runs/live-runs.tsx';
import { useMay } from '../session/session.tsx';
import { formatDuration } from '../show/format.ts';
import { LinkButton } from '../show/link-button.tsx';
import { Notice } from '../show/notice.tsx';
import { Empty, Loaded, Page, Panel } from '../show/page.tsx';
import { When } from '../show/when.tsx';
import { Failures } from './failures.tsx';
import { ProtectionFigures } from './protection-figures.tsx';

/** The worst are named; the list of VMs has them all. */
const NAMED = 12;

export function HomePage() {
  const overview = useQuery({ queryKey: ['overview'], queryFn: ({ signal }) => call('overview', {}, { signal }), refetchInterval: 30_000 });
  return (
    <Page title="Home" name="Home">
      <Loaded asked={overview} rows={6}>
        {(data) => (
          <>
            <Beginning overview={data} />
            <View overview={data} />
            {data.nothingRanSince !== undefined && (
              <Notice tone="bad" title="No run has succeeded lately">
                <span>
                  The last one was <When at={data.nothingRanSince} age />. Look at the <Link to="/policies">policies</Link> and at the{' '}
                  <Link to="/infrastructure">proxies</Link>.
                </span>
              </Notice>
            )}
            <ProtectionFigures protection={data.protection} orphans={data.orphans} />
            <div className="ov-columns">
              <div className="ov-stack">
                <OutOfRpo overview={data} />
              </div>
              <div className="ov-stack">
                <LiveRuns queued={data.queued} />
                <Failures failures={data.failures} />
                <Repositories overview={data} />
              </div>
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}

/** That what stands here is not of now, or that the list of runs is a new one. */
function View({ overview: { seenAt, cloudProblem, madeAnew } }: { readonly overview: Overview }) {
  return (
    <>
      {cloudProblem !== undefined && (
        <Notice tone="bad" title="OpenNebula cannot be read">
          <span>
            {seenAt === undefined ? (
              'It was not read yet: no VM is known'
            ) : (
              <>
                What stands here is of <When at={seenAt} age />
              </>
            )}
            . {cloudProblem.text}
          </span>
        </Notice>
      )}
      {cloudProblem === undefined && seenAt === undefined && (
        <Notice tone="info" title="OpenNebula is being read">
          VMs are listed as soon as it has answered.
        </Notice>
      )}
      {madeAnew !== undefined && (
        <Notice tone="info" title={madeAnew.isDone ? 'The database was lost and made anew' : 'The database was lost and is being made anew'}>
          <span>
            Policies, restore points and audit are there{madeAnew.isDone ? '' : ' as soon as the repositories are read; schedules wait for that'}. Runs before{' '}
            <When at={madeAnew.since} /> are not listed, but for the last good one of each VM.
          </span>
        </Notice>
      )}
    </>
  );
}

/** What a new server needs first. */
function Beginning({ overview }: { readonly overview: Overview }) {
  const admin = useMay('admin');
  if (overview.repositories.length > 0) return admin && overview.protection.unprotected > 0 ? <NoPolicyYet /> : null;
  return (
    <Notice tone="info" title="Nothing is set up yet">
      <span>There is no repository to keep restore points in{admin ? '.' : '; an administrator of onevault makes one.'}</span>
      {admin && (
        <span>
          <LinkButton to="/setup" variant="filled">
            Set up onevault
          </LinkButton>
        </span>
      )}
    </Notice>
  );
}

/** The second thing that a new server needs. */
function NoPolicyYet() {
  const policies = useQuery({ queryKey: ['policies'], queryFn: ({ signal }) => call('listPolicies', {}, { signal }) });
  if (policies.data === undefined || policies.data.some(({ kind }) => kind === 'backup')) return null;
  return (
    <Notice tone="info" title="Nothing is backed up by itself">
      <span>There is a repository, and no policy that says which VMs are kept in it, when and for how long.</span>
      <span>
        <LinkButton to="/policies/new" search={{ kind: 'backup' }} variant="filled">
          Make the first policy
        </LinkButton>
      </span>
    </Notice>
  );
}

function OutOfRpo({ overview }: { readonly overview: Overview }) {
  const { outOfRpo: all } = overview.protection;
  return (
    <Panel
      title="Out of RPO"
      actions={
        all > 0 && (
          <Link to="/vms" search={{ protection: 'out-of-rpo' }}>
            All {all}
          </Link>
        )
      }
      flush
    >
      {overview.outOfRpo.length === 0 ? (
        <Empty>No VM is later than its policy allows.</Empty>
      ) : (
        <table className="ov-table">
          <caption className="ov-unseen">VMs whose newest restore point is too old, worst first</caption>
          <thead>
            <tr>
              <th scope="col">VM</th>
              <th scope="col">Policy</th>
              <th scope="col" className="ov-right">
                Late by
              </th>
            </tr>
          </thead>
          <tbody>
            {overview.outOfRpo.slice(0, NAMED).map(({ vmId, name, policy, lateMs }) => (
              <tr key={`${vmId} ${policy}`}>
                <td>
                  <Link to="/vms/$vmId" params={{ vmId: String(vmId) }}>
                    {name}
                  </Link>{' '}
                  <span className="ov-dim">{vmId}</span>
                </td>
                <td data-title="Policy">
                  <Link to="/policies/$name" params={{ name: policy }}>
                    {policy}
                  </Link>
                </td>
                <td data-title="Late by" className="ov-right ov-tone-warn">
                  {formatDuration(lateMs)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function Repositories({ overview }: { readonly overview: Overview }) {
  return (
    <Panel title="Repositories" actions={<Link to="/repositories">All</Link>}>
      {overview.repositories.length === 0 && <Empty>None yet.</Empty>}
      {overview.repositories.map((repository) => (
        <StorageBar key={repository.name} repository={repository} />
      ))}
    </Panel>
  );
}
