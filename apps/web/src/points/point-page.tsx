import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconArchive, IconFolder } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { Point } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { useMay } from '../session/session.tsx';
import { Copyable } from '../show/copyable.tsx';
import { formatBytes } from '../show/format.ts';
import { LinkButton } from '../show/link-button.tsx';
import { Notice, ProblemNotice } from '../show/notice.tsx';
import { Facts, Loaded, Page, Panel } from '../show/page.tsx';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { ProblemPage } from '../show/problem-page.tsx';
import { TypedConfirm } from '../show/typed-confirm.tsx';
import { newKey, useStartRun } from '../show/use-act.ts';
import { When } from '../show/when.tsx';
import { HoldPanel } from './hold-panel.tsx';
import { RuleBadge } from './rule-badge.tsx';
import { TagsPanel } from './tags-panel.tsx';

const route = getRouteApi('/points/$repository/$pointId');

const DISKS: readonly Column<Point['disks'][number]>[] = [
  { title: 'Disk', cell: ({ diskId, target }) => `${diskId} · ${target}` },
  { title: 'Key', cell: ({ key }) => <code>{key}</code> },
  { title: 'Size', cell: ({ sizeBytes }) => formatBytes(sizeBytes), right: true },
];

const AMONG = { to: '/vms', text: 'All VMs, and their restore points' } as const;

export function PointPage() {
  const of = route.useParams();
  const point = useQuery({ queryKey: ['point', of.repository, of.pointId], queryFn: ({ signal }) => call('getPoint', { params: of }, { signal }) });
  const operator = useMay('operator');
  if (point.isLoadingError)
    return <ProblemPage what="restore point" named={`${of.repository}/${of.pointId}`} among={AMONG} error={point.error} onRetry={() => void point.refetch()} />;
  return (
    <Page
      title={point.data === undefined ? 'Restore point' : `Restore point of ${point.data.vmName}`}
      name="Restore point"
      lead={
        <>
          <Copyable text={of.pointId} label="the restore point id" />
          <span>in {of.repository}</span>
          {point.data !== undefined && (
            <Link to="/vms/$vmId" params={{ vmId: String(point.data.vmId) }}>
              VM {point.data.vmId}
            </Link>
          )}
        </>
      }
      actions={point.data !== undefined && operator && <PointActions point={point.data} />}
    >
      <Loaded asked={point} rows={5}>
        {(data) => (
          <>
            {data.damaged && (
              <Notice tone="bad" title="Damaged">
                Verify found damage in it. Restoring names what is lost; the next backup heals what it can read again.
              </Notice>
            )}
            <Panel>
              <Facts
                facts={[
                  ['Captured', <When key="c" at={data.capturedAt} seconds />],
                  ['Complete since', <When key="m" at={data.committedAt} seconds />],
                  ['Mode', data.mode],
                  ['Consistency', data.consistency],
                  ['Size', formatBytes(data.sizeBytes)],
                  ['New in it', formatBytes(data.storedBytes)],
                  ['Kept by', <RuleBadge key="k" keptBy={data.keptBy} />],
                  ['Goes', data.goesOn === undefined ? 'not by a rule' : <When key="g" at={data.goesOn} />],
                ]}
              />
            </Panel>
            <div className="ov-columns">
              <HoldPanel point={data} />
              <TagsPanel point={data} />
            </div>
            <Panel title="Disks" flush>
              <PlainTable label="disks in the restore point" columns={DISKS} rows={data.disks} keyOf={({ key }) => key} />
            </Panel>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function PointActions({ point }: { readonly point: Point }) {
  const of = { repository: point.repository, pointId: point.id };
  const [key] = useState(newKey);
  const [opened, forget] = useDisclosure(false);
  const drill = useStartRun();
  const gone = useStartRun();
  return (
    <>
      <LinkButton to="/restore" search={{ ...of, vmId: String(point.vmId) }} variant="filled" leftSection={<IconArchive size={15} />}>
        Restore
      </LinkButton>
      <LinkButton to="/points/$repository/$pointId/files" params={of} leftSection={<IconFolder size={15} />}>
        Browse files
      </LinkButton>
      <Button
        loading={drill.isPending}
        onClick={() => drill.mutate({ request: { kind: 'drill', ...of }, key })}
        title="restores it to a VM that is thrown away, and looks whether it lives"
      >
        Drill
      </Button>
      <Button onClick={forget.open} disabled={point.held !== undefined} title={point.held === undefined ? undefined : 'it is held'}>
        Forget
      </Button>
      {drill.error !== null && <ProblemNotice error={drill.error} />}
      <TypedConfirm
        opened={opened}
        onClose={forget.close}
        title="Forget the restore point"
        word={point.vmName}
        verb="Forget it"
        pending={gone.isPending}
        error={gone.error}
        onConfirm={() => gone.mutate({ request: { kind: 'forget', ...of }, key: `${key}-forget` })}
      >
        The restore point of {point.vmName} of <When at={point.capturedAt} /> cannot be restored any more. Its space comes back with the next garbage
        collection.
      </TypedConfirm>
    </>
  );
}
