import { Button } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconPlayerStop, IconRefresh } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import type { RunDetail } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { useMay } from '../session/session.tsx';
import { Copyable } from '../show/copyable.tsx';
import { Notice, ProblemNotice } from '../show/notice.tsx';
import { Facts, Loaded, Page, Panel } from '../show/page.tsx';
import { ProblemPage } from '../show/problem-page.tsx';
import { Reasons } from '../show/reasons.tsx';
import { RunStatus } from '../show/status.tsx';
import { TypedConfirm } from '../show/typed-confirm.tsx';
import { newKey, useAct, useStartRun } from '../show/use-act.ts';
import { When } from '../show/when.tsx';
import { isOver } from './is-over.ts';
import { RunDisks } from './run-disks.tsx';
import type { FoldedRun } from './run-fold.ts';
import { RunLog } from './run-log.tsx';
import { RunPhases } from './run-phases.tsx';
import { aboutOf, kindTitle } from './run-request-text.ts';
import { RunDuration, RunVm } from './run-table.tsx';
import { useRunEvents } from './use-run-events.ts';

const route = getRouteApi('/runs/$runId');

const AMONG = { to: '/runs', text: 'All runs' } as const;

export function RunPage() {
  const { runId } = route.useParams();
  const run = useQuery({
    queryKey: ['run', runId],
    queryFn: ({ signal }) => call('getRun', { params: { runId } }, { signal }),
    // The stream says when something happens; this is for a stream that is cut.
    refetchInterval: ({ state: { data } }) => (data !== undefined && isOver(data) ? false : 10_000),
  });
  const folded = useRunEvents(runId);
  if (run.isLoadingError) return <ProblemPage what="run" named={runId} among={AMONG} error={run.error} onRetry={() => void run.refetch()} />;
  const title = run.data === undefined ? 'Run' : `${kindTitle(run.data.request.kind)} ${run.data.vmName ?? ''}`.trim();
  return (
    <Page
      title={
        <>
          {title} {run.data !== undefined && <RunStatus state={run.data.state} />}
        </>
      }
      name={title}
      lead={
        <>
          <Copyable text={runId} label="the run id" />
          {run.data !== undefined && <span>{aboutOf(run.data.request)}</span>}
        </>
      }
      actions={run.data !== undefined && <RunActions run={run.data} />}
    >
      <Loaded asked={run} rows={5}>
        {(data) => <RunBody run={data} folded={folded} />}
      </Loaded>
    </Page>
  );
}

function RunBody({ run, folded }: { readonly run: RunDetail; readonly folded: FoldedRun }) {
  return (
    <>
      {run.failure !== undefined && (
        <Notice tone="bad" title={run.failure.message}>
          {run.failure.hint !== undefined && <span>{run.failure.hint}</span>}
          {run.failure.code !== undefined && <Copyable text={run.failure.code} label="the error code" />}
        </Notice>
      )}
      {run.residue.length > 0 && (
        <Notice tone="warn" title="Still in OpenNebula, and should not be">
          <span>{run.residue.join(', ')}</span>
          <span>The next run, or a recover run, takes it away.</span>
        </Notice>
      )}
      {run.waitsFor !== undefined && !isOver(run) && (
        <Notice tone="info" title="It waits">
          <Reasons reasons={[run.waitsFor]} />
        </Notice>
      )}
      {run.warnings.length > 0 && (
        <Notice tone="warn" title="What is not as it should be">
          <Reasons reasons={run.warnings} />
        </Notice>
      )}
      <Panel>
        <Facts
          facts={[
            ['VM', <RunVm key="vm" run={run} />],
            ['Asked by', `${run.origin.name} (${run.origin.kind})`],
            ['Waiting since', <When key="q" at={run.queuedAt} seconds />],
            ['Began', <When key="b" at={run.startedAt} seconds />],
            ['Ended', <When key="e" at={run.endedAt} seconds />],
            ['Took', <RunDuration key="d" run={run} />],
            ['Attempt', run.attempt],
            ['Worker', run.worker ?? '–'],
            folded.pointId === undefined || !('repository' in run.request)
              ? undefined
              : [
                  'Restore point',
                  <Link key="p" to="/points/$repository/$pointId" params={{ repository: run.request.repository, pointId: folded.pointId }}>
                    {folded.pointId}
                  </Link>,
                ],
          ]}
        />
      </Panel>
      <RunDisks run={run} folded={folded} />
      <RunPhases run={run} folded={folded} />
      <RunLog run={run} folded={folded} />
    </>
  );
}

function RunActions({ run }: { readonly run: RunDetail }) {
  const operator = useMay('operator');
  const [opened, confirm] = useDisclosure(false);
  const [key] = useState(newKey);
  const cancel = useAct(() => call('cancelRun', { params: { runId: run.id } }), {
    renews: ['run', 'runs'],
    done: () => 'The server has taken it: the run stops in order',
    onDone: confirm.close,
  });
  const again = useStartRun();
  if (!operator) return null;
  if (!isOver(run))
    return (
      <>
        <Button leftSection={<IconPlayerStop size={15} />} onClick={confirm.open}>
          Cancel
        </Button>
        <TypedConfirm
          opened={opened}
          onClose={confirm.close}
          title="Cancel the run"
          verb="Cancel the run"
          pending={cancel.isPending}
          error={cancel.error}
          onConfirm={() => cancel.mutate(undefined)}
        >
          It stops in order: what it made in OpenNebula is taken away again. That can take as long as the call that is under way.
        </TypedConfirm>
      </>
    );
  if (run.state === 'succeeded') return null;
  return (
    <>
      <Button variant="filled" leftSection={<IconRefresh size={15} />} loading={again.isPending} onClick={() => again.mutate({ request: run.request, key })}>
        Try again
      </Button>
      {again.error !== null && <ProblemNotice error={again.error} />}
    </>
  );
}
