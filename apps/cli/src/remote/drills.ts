import type { Answer } from '@onevault/api';
import type { DrillReport } from '@onevault/orchestrator';
import type { DrillListFlags } from '../commands/drill/list.ts';
import type { DrillRunFlags } from '../commands/drill/run.ts';
import { tableOptions } from '../commands/table-flags.ts';
import { usageError } from '../errors.ts';
import { EXIT, type ExitCode, reportError } from '../exit.ts';
import { drillFailedLine, drillLine } from '../render/drill-line.ts';
import { jobRenderer } from '../render/job-renderer.ts';
import { type Column, renderTable } from '../render/table.ts';
import { formatDuration, formatTime } from '../render/units.ts';
import { NOT_RECOVERING, type Refused, refuseFlags } from './not-through-server.ts';
import { concludeRemote, errorFacts, outcomesOf } from './outcomes.ts';
import type { RemoteContext } from './remote-context.ts';
import { type RemotePoint, repositoryAt, selectRemotePoint } from './remote-points.ts';
import { selectRemotePast } from './remote-vms.ts';
import { reportOf } from './run-to-end.ts';

type Drill = Answer<'listDrills'>[number];

/** A server drills without a network, and takes it for life that the VM has been RUNNING for a minute. */
const REFUSED: Refused = {
  ...NOT_RECOVERING,
  all: '--all',
  sample: '--sample',
  maxAge: '--max-age',
  budget: '--budget',
  network: ['--network', 'none'],
  imageDatastore: '--image-datastore',
  systemDatastore: '--system-datastore',
  allowRaw: '--allow-raw',
  verify: '--verify',
  sign: '--sign',
  probe: '--probe',
  probeArg: '--probe-arg',
  probeShell: '--probe-shell',
  need: ['--need', 'all'],
  limit: ['--limit', '10m'],
  consoleListen: '--console-listen',
};

export async function remoteDrillRun(context: RemoteContext, vms: readonly string[], flags: DrillRunFlags): Promise<ExitCode> {
  const { point, dryRun } = flags;
  refuseFlags(flags, REFUSED);
  if (vms.length === 0) throw usageError('no VM is named', 'name VMs that have restore points');
  if (point !== undefined && vms.length !== 1) throw usageError('--point is of one VM', 'name exactly one VM');
  const { output, clock } = context;
  const points: RemotePoint[] = [];
  for (const vm of vms) points.push(await selectRemotePoint(context, point ?? 'latest', vm));
  if (dryRun === true) {
    for (const { id, vmName } of points) output.line(`would drill ${id} of VM ${vmName}`);
    output.document('drill.turns', { chosen: points.map(({ id, vmName }) => ({ pointId: id, vmName })), later: [] });
    return EXIT.ok;
  }
  using renderer = jobRenderer(output, clock);
  const outcomes = await outcomesOf(
    context,
    points.map(({ repository, id }) => ({ kind: 'drill' as const, repository, pointId: id })),
    (event) => renderer.emit(event),
    (outcome, at) => {
      const { id: pointId = '', vmName = '' } = points[at] ?? {};
      if ('run' in outcome) output.line(drillLine(reportOf<DrillReport>(outcome.run)));
      else if (points.length > 1) {
        const { message, code = 'INTERNAL' } = errorFacts(outcome.error);
        output.warn(message);
        output.line(drillFailedLine({ group: '', pointId, vmName }, code));
      }
    },
  );
  output.document('drill.result', {
    drills: outcomes.map((outcome, at) =>
      'run' in outcome
        ? { ...outcome.run.report, serverRun: outcome.run.id }
        : { pointId: points[at]?.id, vmName: points[at]?.vmName, outcome: 'failed', serverRun: outcome.runId ?? null, error: errorFacts(outcome.error) },
    ),
    notAttempted: [],
    fresh: [],
  });
  const { exitCode, error } = concludeRemote(outcomes);
  return error === undefined ? exitCode : reportError(output, error);
}

const COLUMNS: readonly Column<Drill>[] = [
  { name: 'ENDED', value: ({ finishedAt }) => formatTime(finishedAt) },
  { name: 'VM', align: 'right', value: ({ vmId }) => vmId },
  { name: 'NAME', value: ({ vmName }) => vmName },
  { name: 'RESULT', value: ({ outcome }) => outcome },
  { name: 'POINT', value: ({ pointId }) => pointId },
  { name: 'RTO', align: 'right', value: ({ rtoMs }) => (rtoMs === undefined ? undefined : formatDuration(rtoMs)) },
  { name: 'WHY', value: ({ failure }) => failure?.code },
];

/** So many of a repository, as many as a server tells. */
const LIMIT = 500;

/** Drills, newest first; which VMs were never proven is in the server's overview and reports. */
export async function remoteDrillList(context: RemoteContext, vm: string | undefined, flags: DrillListFlags): Promise<ExitCode> {
  refuseFlags(flags, { maxAge: '--max-age' });
  const { client, output, signal } = context;
  const table = tableOptions(flags);
  const repository = await repositoryAt(context);
  const vmId = vm === undefined ? undefined : await selectRemotePast(context, vm);
  const records = await client.call('listDrills', { params: { repository }, query: { limit: LIMIT, vmId } }, { signal });
  for (const line of renderTable(COLUMNS, records, table)) output.line(line);
  if (records.length === 0) output.note(`no drill ${vm === undefined ? '' : `of a VM ${vm} `}in repository ${repository}`);
  output.document('drill.records', { records });
  return EXIT.ok;
}
