import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { VmDetail } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { RecentRuns } from '../runs/recent-runs.tsx';
import { Copyable } from '../show/copyable.tsx';
import { formatDuration } from '../show/format.ts';
import { Notice } from '../show/notice.tsx';
import { Facts, Loaded, Page, Panel } from '../show/page.tsx';
import { MissingPage, ProblemPage } from '../show/problem-page.tsx';
import { Reasons } from '../show/reasons.tsx';
import { ProtectionStatus, protectionReason, Status, VerdictStatus } from '../show/status.tsx';
import { When } from '../show/when.tsx';
import { idIn } from './id-in.ts';
import { SnapshotsPanel } from './snapshots-panel.tsx';
import { UndoPanel } from './undo-panel.tsx';
import { VmActions } from './vm-actions.tsx';
import { VmDisks } from './vm-disks.tsx';
import { VmPoints } from './vm-points.tsx';

const route = getRouteApi('/vms/$vmId');

const AMONG = { to: '/vms', text: 'All VMs' } as const;

export function VmPage() {
  const named = route.useParams().vmId;
  const vmId = idIn(named);
  return vmId === undefined ? <MissingPage what="VM" named={named} among={AMONG} /> : <KnownVm key={vmId} vmId={vmId} />;
}

function KnownVm({ vmId }: { readonly vmId: number }) {
  const vm = useQuery({ queryKey: ['vm', vmId], queryFn: ({ signal }) => call('getVm', { params: { vmId } }, { signal }) });
  const name = vm.data?.name ?? `VM ${vmId}`;
  if (vm.isLoadingError) return <ProblemPage what="VM" named={String(vmId)} among={AMONG} error={vm.error} onRetry={() => void vm.refetch()} />;
  return (
    <Page
      title={
        <>
          {name} {vm.data !== undefined && <ProtectionStatus protection={vm.data.protection} />}
        </>
      }
      name={name}
      lead={
        <>
          <Copyable text={String(vmId)} label="the VM id" />
          {vm.data !== undefined && <span>{vm.data.exists ? vm.data.state.toLowerCase() : 'gone from OpenNebula'}</span>}
          {vm.data?.host !== undefined && <span>on {vm.data.host}</span>}
          {vm.data !== undefined && vm.data.labels.length > 0 && <span>{vm.data.labels.join(', ')}</span>}
        </>
      }
      actions={vm.data !== undefined && <VmActions vm={vm.data} />}
    >
      <Loaded asked={vm} rows={4}>
        {(data) => (
          <>
            {data.running !== undefined && (
              <Notice tone="info">
                <span>
                  <Status tone="busy">A run works on it:</Status>{' '}
                  <Link to="/runs/$runId" params={{ runId: data.running }}>
                    {data.running}
                  </Link>
                </span>
              </Notice>
            )}
            <ProtectionPanel vm={data} />
          </>
        )}
      </Loaded>
      {/* Asked for at the same time, and shown when it is clear that there is such a VM. */}
      <div className={vm.data === undefined ? 'ov-later' : 'ov-stack'}>
        <VmPoints vmId={vmId} />
        {vm.data !== undefined && <VmDisks disks={vm.data.disks} />}
        {vm.data?.exists !== false && <SnapshotsPanel vmId={vmId} vmName={name} />}
        <UndoPanel vmId={vmId} vmName={name} />
        <RecentRuns vmId={vmId} />
      </div>
    </Page>
  );
}

function ProtectionPanel({ vm }: { readonly vm: VmDetail }) {
  const { protection } = vm;
  const policies = 'policies' in protection ? protection.policies : [];
  return (
    <Panel title="Protection">
      <Facts
        facts={[
          ['State', <ProtectionStatus key="s" protection={protection} />],
          protection.state === 'protected' ? ['Good until', <When key="u" at={protection.until} />] : undefined,
          protection.state === 'out-of-rpo' ? ['Late by', `${formatDuration(protection.lateMs)} for ${protection.policy}`] : undefined,
          'reason' in protection ? ['Why', protectionReason(protection.reason)] : undefined,
          [
            'Policies',
            policies.length === 0
              ? 'none'
              : policies.map((policy, index) => (
                  <span key={policy}>
                    {index > 0 && ', '}
                    <Link to="/policies/$name" params={{ name: policy }}>
                      {policy}
                    </Link>
                  </span>
                )),
          ],
          ['Newest point', <When key="n" at={vm.newestPoint?.capturedAt} age />],
          ['Restore points', vm.points],
          ['Owner', `${vm.owner}, group ${vm.group}`],
          vm.exists ? ['A backup now', <VerdictStatus key="v" verdict={vm.verdict} />] : undefined,
        ]}
      />
      <Reasons reasons={vm.reasons} />
    </Panel>
  );
}
