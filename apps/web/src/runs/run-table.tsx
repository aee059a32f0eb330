import { Link } from '@tanstack/react-router';
import type { Run } from '../api/answers.ts';
import { useLiveDisks } from '../shell/live-events.ts';
import { formatDuration, formatShare } from '../show/format.ts';
import { type Column, PlainTable } from '../show/plain-table.tsx';
import { RunStatus } from '../show/status.tsx';
import { useNow, When } from '../show/when.tsx';
import { aboutOf, kindTitle, vmIdOf } from './run-request-text.ts';

const COLUMNS: readonly Column<Run>[] = [
  { title: 'State', cell: (run) => <RunState run={run} /> },
  {
    title: 'What',
    cell: ({ id, request }) => (
      <>
        <Link to="/runs/$runId" params={{ runId: id }}>
          {kindTitle(request.kind)}
        </Link>{' '}
        <span className="ov-dim">{aboutOf(request)}</span>
      </>
    ),
  },
  { title: 'VM', cell: (run) => <RunVm run={run} /> },
  { title: 'Asked by', cell: ({ origin }) => `${origin.name}${origin.kind === 'user' ? '' : ` (${origin.kind})`}` },
  { title: 'Began', cell: ({ startedAt, queuedAt }) => <When at={startedAt ?? queuedAt} /> },
  { title: 'Took', cell: (run) => <RunDuration run={run} />, right: true },
  { title: 'Why', cell: (run) => <RunWhy run={run} /> },
];

export function RunTable({ runs, label }: { readonly runs: readonly Run[]; readonly label: string }) {
  return <PlainTable label={label} columns={COLUMNS} rows={runs} keyOf={({ id }) => id} />;
}

function RunState({ run }: { readonly run: Run }) {
  const live = useLiveDisks(run.id);
  if (run.state !== 'running' || live === undefined) return <RunStatus state={run.state} />;
  const disks = [...live.values()];
  const share = formatShare(
    disks.reduce((sum, { doneBytes }) => sum + doneBytes, 0),
    disks.reduce((sum, { totalBytes }) => sum + totalBytes, 0),
  );
  return (
    <>
      <RunStatus state={run.state} /> <span className="ov-num ov-dim">{share}</span>
    </>
  );
}

export function RunVm({ run }: { readonly run: Run }) {
  const vmId = vmIdOf(run.request);
  if (vmId === undefined) return <span>{run.vmName ?? '–'}</span>;
  return (
    <Link to="/vms/$vmId" params={{ vmId: String(vmId) }}>
      {run.vmName ?? `VM ${vmId}`}
    </Link>
  );
}

/** Of what still runs: until now. */
export function RunDuration({ run: { startedAt, endedAt } }: { readonly run: Pick<Run, 'startedAt' | 'endedAt'> }) {
  const now = useNow();
  if (startedAt === undefined) return <span className="ov-dim">–</span>;
  const end = endedAt === undefined ? now : new Date(endedAt).getTime();
  return <span className="ov-num">{formatDuration(Math.max(0, end - new Date(startedAt).getTime()))}</span>;
}

function RunWhy({ run: { failure, waitsFor, warnings, residue } }: { readonly run: Run }) {
  if (failure !== undefined) return <span title={failure.hint}>{failure.message}</span>;
  if (waitsFor !== undefined) return <span className="ov-dim">{waitsFor.text}</span>;
  if (residue.length > 0) return <span>still in OpenNebula: {residue.join(', ')}</span>;
  const [first, ...others] = warnings;
  if (first === undefined) return null;
  return (
    <span>
      {first.text}
      {others.length > 0 && ` and ${others.length} more`}
    </span>
  );
}
