import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { Run } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { type LiveDisk, useLiveDisks } from '../shell/live-events.ts';
import { formatBytes, formatShare, plural } from '../show/format.ts';
import { Empty, Loaded, Panel } from '../show/page.tsx';
import { Status } from '../show/status.tsx';
import { When } from '../show/when.tsx';
import { kindTitle, vmIdOf } from './run-request-text.ts';

/** What runs now, moving as the server tells it. */
export function LiveRuns({ queued }: { readonly queued: number }) {
  const running = useQuery({
    queryKey: ['runs', 'running'],
    queryFn: ({ signal }) => call('listRuns', { query: { state: 'running', limit: 12 } }, { signal }),
    refetchInterval: 10_000,
  });
  return (
    <Panel
      title="Running now"
      actions={
        <Link to="/runs" search={{ state: 'queued' }}>
          {plural(queued, 'run')} waiting
        </Link>
      }
    >
      <Loaded asked={running}>
        {({ items, next }) => (
          <>
            {items.length === 0 && <Empty>Nothing runs.</Empty>}
            {items.map((run) => (
              <LiveRun key={run.id} run={run} />
            ))}
            {next !== undefined && (
              <Link to="/runs" search={{ state: 'running' }}>
                More
              </Link>
            )}
          </>
        )}
      </Loaded>
    </Panel>
  );
}

function LiveRun({ run }: { readonly run: Run }) {
  const live = useLiveDisks(run.id);
  const disks: readonly LiveDisk[] = live === undefined ? run.progress : [...live.values()];
  const done = disks.reduce((sum, { doneBytes }) => sum + doneBytes, 0);
  const total = disks.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
  const phases = [...new Set(disks.filter(({ doneBytes, totalBytes }) => doneBytes < totalBytes).map(({ phase }) => phase))];
  const vmId = vmIdOf(run.request);
  return (
    <div>
      <div className="ov-row" style={{ justifyContent: 'space-between' }}>
        <Status tone="busy">
          <Link to="/runs/$runId" params={{ runId: run.id }}>
            {kindTitle(run.request.kind)} {run.vmName ?? ''}
          </Link>
        </Status>
        <span className="ov-dim">
          {vmId !== undefined && `VM ${vmId}, `}
          <When at={run.startedAt ?? run.queuedAt} age />
        </span>
      </div>
      <ProgressBar doneBytes={done} totalBytes={total} label={`progress of ${kindTitle(run.request.kind)} ${run.vmName ?? run.id}`} />
      <div className="ov-dim ov-num">
        {total === 0
          ? 'preparing'
          : `${formatShare(done, total)}, ${formatBytes(done)} of ${formatBytes(total)}${phases.length > 0 ? ` · ${phases.join(', ')}` : ''}`}
      </div>
    </div>
  );
}

export function ProgressBar({
  doneBytes,
  totalBytes,
  label,
  tone = 'busy',
}: {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly label: string;
  readonly tone?: 'busy' | 'ok' | 'bad';
}) {
  const percent = totalBytes === 0 ? 0 : Math.min(100, (100 * doneBytes) / totalBytes);
  return (
    <div
      className={`ov-bar ov-bar-${tone}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(percent)}
      style={{ margin: '0.25rem 0' }}
    >
      <span style={{ width: `${percent}%` }} />
    </div>
  );
}
